//! Templates as JSON values, whether they were written as JSON or as YAML with
//! CloudFormation's short tags (`!Sub`, `!GetAtt A.Arn`).

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, json};
use serde_saphyr::Tagged;
use std::fmt;

/// Parses a template body.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| format!("Template format error: JSON not well-formed. ({error})"));
    }
    let node: Node = serde_saphyr::from_str(text)
        .map_err(|error| format!("Template format error: YAML not well-formed. ({error})"))?;
    node.into_value()
}

/// A node with the tag that stood before it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Node(Tagged<Plain>);

enum Plain {
    Scalar(Value),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn into_value(self) -> Result<Value, String> {
        let Tagged(plain, tag) = self.0;
        let function = tag
            .as_deref()
            .map(str::trim)
            .and_then(|tag| tag.strip_prefix('!'))
            .filter(|tag| !tag.is_empty() && !tag.starts_with('!'))
            .map(str::to_owned);
        let value = match plain {
            Plain::Scalar(value) => value,
            Plain::List(items) => Value::Array(
                items
                    .into_iter()
                    .map(Node::into_value)
                    .collect::<Result<_, _>>()?,
            ),
            Plain::Object(entries) => {
                let mut map = Map::new();
                for (key, node) in entries {
                    map.insert(key, node.into_value()?);
                }
                Value::Object(map)
            }
        };
        Ok(match function.as_deref() {
            None => value,
            Some("Ref") => json!({ "Ref": value }),
            Some("Condition") => json!({ "Condition": value }),
            Some("GetAtt") => json!({ "Fn::GetAtt": attribute(value) }),
            Some(name) if name.chars().all(|c| c.is_ascii_alphanumeric()) => {
                json!({ format!("Fn::{name}"): value })
            }
            Some(other) => return Err(format!("Template format error: unknown tag !{other}")),
        })
    }
}

/// `Role.Arn` as the pair that the long form has.
fn attribute(value: Value) -> Value {
    match value.as_str().and_then(|text| text.split_once('.')) {
        Some((resource, attribute)) => json!([resource, attribute]),
        None => value,
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a scalar, a list or an object")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Plain, E> {
        Ok(Plain::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain::Scalar(
            Number::from_f64(value).map_or(Value::Null, Value::Number),
        ))
    }

    fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Plain, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Plain::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Plain, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Plain::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_tags_become_long_forms() {
        let template = "\
Resources:
  Role:
    Type: AWS::IAM::Role
    Condition: Wanted
    Properties:
      RoleName: !Sub '${AWS::StackName}-role'
      Path: !Ref Path
      Arn: !GetAtt Other.Arn
      Names: !Join ['-', [a, !Ref B]]
      Size: 3
      On: true
      Version: 2012-10-17
      Maybe: !If [Wanted, 1, !Ref AWS::NoValue]
Conditions:
  Wanted: !Not [!Equals [!Ref A, '']]
  Also: !And [!Condition Wanted, !Condition Wanted]
";
        let value = parse(template).unwrap();
        let properties = &value["Resources"]["Role"]["Properties"];
        assert_eq!(
            properties["RoleName"],
            json!({"Fn::Sub": "${AWS::StackName}-role"})
        );
        assert_eq!(properties["Path"], json!({"Ref": "Path"}));
        assert_eq!(properties["Arn"], json!({"Fn::GetAtt": ["Other", "Arn"]}));
        assert_eq!(
            properties["Names"],
            json!({"Fn::Join": ["-", ["a", {"Ref": "B"}]]})
        );
        assert_eq!(properties["Size"], 3);
        assert_eq!(properties["On"], true);
        assert_eq!(properties["Version"], "2012-10-17");
        assert_eq!(
            properties["Maybe"],
            json!({"Fn::If": ["Wanted", 1, {"Ref": "AWS::NoValue"}]})
        );
        assert_eq!(
            value["Conditions"]["Wanted"],
            json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "A"}, ""]}]})
        );
        assert_eq!(
            value["Conditions"]["Also"],
            json!({"Fn::And": [{"Condition": "Wanted"}, {"Condition": "Wanted"}]})
        );
    }

    #[test]
    fn json_and_broken_input() {
        assert_eq!(
            parse("{\"Resources\":{}}").unwrap(),
            json!({"Resources": {}})
        );
        assert!(parse("{").unwrap_err().contains("JSON not well-formed"));
        assert!(parse("a: [").unwrap_err().contains("YAML not well-formed"));
    }
}
