//! Intrinsic functions and conditions.

use super::references::{Piece, pieces, single};
use base64::Engine;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How deep functions and conditions may nest before they must be circular.
const MAX_DEPTH: usize = 32;

/// What functions can refer to.
pub(super) struct Scope<'a> {
    pub parameters: &'a BTreeMap<String, String>,
    /// `CommaDelimitedList` and `List<…>` parameters are lists.
    pub lists: &'a [String],
    pub pseudo: BTreeMap<&'static str, String>,
    pub conditions: &'a Map<String, Value>,
    pub mappings: &'a Map<String, Value>,
    /// Resources that exist, by logical id.
    pub resources: BTreeMap<String, Existing>,
}

/// A resource as `Ref` and `Fn::GetAtt` see it.
#[derive(Debug, Clone)]
pub(super) struct Existing {
    pub reference: String,
    pub attributes: Map<String, Value>,
}

impl Scope<'_> {
    /// Evaluates a value; None stands for `AWS::NoValue`.
    pub(super) fn resolve(&self, value: &Value) -> Result<Option<Value>, String> {
        self.value(value, 0)
    }

    /// The value with every `Fn::If` replaced by the branch that it takes, and
    /// nothing else evaluated.
    pub(super) fn chosen(&self, value: &Value) -> Result<Value, String> {
        match value {
            Value::Array(items) => items.iter().map(|item| self.chosen(item)).collect(),
            Value::Object(map) => match single(map) {
                Some(("Fn::If", argument)) => self.chosen(self.branch(argument, 0)?),
                _ => map
                    .iter()
                    .map(|(name, inner)| Ok((name.clone(), self.chosen(inner)?)))
                    .collect::<Result<Map<_, _>, String>>()
                    .map(Value::Object),
            },
            scalar => Ok(scalar.clone()),
        }
    }

    /// The branch that a `Fn::If` takes.
    fn branch<'v>(&self, argument: &'v Value, depth: usize) -> Result<&'v Value, String> {
        let Some([condition, yes, no]) = argument.as_array().map(Vec::as_slice) else {
            return Err(
                "Template error: Fn::If requires a list argument with three elements".to_owned(),
            );
        };
        let name = condition.as_str().unwrap_or_default();
        Ok(if self.named(name, depth)? { yes } else { no })
    }

    fn value(&self, value: &Value, depth: usize) -> Result<Option<Value>, String> {
        if depth > MAX_DEPTH {
            return Err("Template error: functions are nested too deeply".to_owned());
        }
        match value {
            Value::Array(items) => {
                let mut resolved = Vec::new();
                for item in items {
                    resolved.extend(self.value(item, depth + 1)?);
                }
                Ok(Some(resolved.into()))
            }
            Value::Object(map) => {
                if let Some((name, argument)) = single(map)
                    && (name == "Ref" || name.starts_with("Fn::"))
                {
                    return self.function(name, argument, depth + 1);
                }
                let mut resolved = Map::new();
                for (name, inner) in map {
                    if let Some(inner) = self.value(inner, depth + 1)? {
                        resolved.insert(name.clone(), inner);
                    }
                }
                Ok(Some(resolved.into()))
            }
            scalar => Ok(Some(scalar.clone())),
        }
    }

    fn function(
        &self,
        name: &str,
        argument: &Value,
        depth: usize,
    ) -> Result<Option<Value>, String> {
        match name {
            "Ref" => self.reference(argument.as_str().unwrap_or_default()),
            "Fn::GetAtt" => self.attribute(argument, depth).map(Some),
            "Fn::Sub" => self.substitute(argument, depth).map(Some),
            "Fn::Join" => {
                let [separator, items] = self.arguments(name, argument, depth)?;
                let separator = string(&separator);
                let items: Vec<String> = list(name, &items)?.iter().map(string).collect();
                Ok(Some(items.join(&separator).into()))
            }
            "Fn::Split" => {
                let [separator, text] = self.arguments(name, argument, depth)?;
                let text = string(&text);
                let parts: Vec<Value> = text
                    .split(string(&separator).as_str())
                    .map(Value::from)
                    .collect();
                Ok(Some(parts.into()))
            }
            "Fn::Select" => {
                let [index, items] = self.arguments(name, argument, depth)?;
                let index: usize = string(&index).parse().map_err(|_| {
                    "Template error: Fn::Select requires a numeric index".to_owned()
                })?;
                list(name, &items)?
                    .get(index)
                    .cloned()
                    .map(Some)
                    .ok_or_else(|| {
                        "Template error: Fn::Select cannot select nonexistent value at index"
                            .to_owned()
                    })
            }
            "Fn::If" => self.value(self.branch(argument, depth)?, depth),
            "Fn::FindInMap" => {
                let [map, first, second] = self.arguments(name, argument, depth)?;
                self.mappings
                    .get(&string(&map))
                    .and_then(|map| map.get(string(&first)))
                    .and_then(|map| map.get(string(&second)))
                    .cloned()
                    .map(Some)
                    .ok_or_else(|| {
                        format!(
                            "Template error: Unable to get mapping for {}::{}::{}",
                            string(&map),
                            string(&first),
                            string(&second)
                        )
                    })
            }
            "Fn::GetAZs" => {
                let region = self
                    .value(argument, depth)?
                    .map(|v| string(&v))
                    .unwrap_or_default();
                let region = if region.is_empty() {
                    self.pseudo.get("AWS::Region").cloned().unwrap_or_default()
                } else {
                    region
                };
                let zones: Vec<Value> = ["a", "b", "c"]
                    .iter()
                    .map(|z| format!("{region}{z}").into())
                    .collect();
                Ok(Some(zones.into()))
            }
            "Fn::Base64" => {
                let text = self
                    .value(argument, depth)?
                    .map(|v| string(&v))
                    .unwrap_or_default();
                let encoded = base64::engine::general_purpose::STANDARD.encode(text);
                Ok(Some(encoded.into()))
            }
            other => Err(format!("Template error: {other} is not simulated")),
        }
    }

    /// A fixed number of evaluated arguments.
    fn arguments<const N: usize>(
        &self,
        name: &str,
        argument: &Value,
        depth: usize,
    ) -> Result<[Value; N], String> {
        let wrong = || format!("Template error: every {name} object requires {N} parameters");
        let given = argument.as_array().ok_or_else(wrong)?;
        let resolved: Vec<Value> = given
            .iter()
            .map(|item| Ok(self.value(item, depth)?.unwrap_or(Value::Null)))
            .collect::<Result<_, String>>()?;
        resolved.try_into().map_err(|_| wrong())
    }

    fn reference(&self, name: &str) -> Result<Option<Value>, String> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if name == "AWS::NotificationARNs" {
            return Ok(Some(Value::Array(Vec::new())));
        }
        if let Some(value) = self.pseudo.get(name) {
            return Ok(Some(value.clone().into()));
        }
        if let Some(value) = self.parameters.get(name) {
            if self.lists.iter().any(|list| list == name) {
                let items: Vec<Value> = value.split(',').map(|item| item.trim().into()).collect();
                return Ok(Some(items.into()));
            }
            return Ok(Some(value.clone().into()));
        }
        if let Some(existing) = self.resources.get(name) {
            return Ok(Some(existing.reference.clone().into()));
        }
        Err(format!(
            "Template error: instance of Ref references {name}, which does not exist"
        ))
    }

    fn attribute(&self, argument: &Value, depth: usize) -> Result<Value, String> {
        let (resource, path) = match argument {
            Value::String(text) => text
                .split_once('.')
                .map(|(resource, path)| (resource.to_owned(), path.to_owned())),
            Value::Array(parts) => match parts.as_slice() {
                [resource, path] => {
                    let path = self.value(path, depth)?.unwrap_or(Value::Null);
                    Some((string(resource), string(&path)))
                }
                _ => None,
            },
            _ => None,
        }
        .ok_or_else(|| {
            "Template error: every Fn::GetAtt object requires two non-empty parameters".to_owned()
        })?;
        let existing = self.resources.get(&resource).ok_or_else(|| {
            format!(
                "Template error: instance of Fn::GetAtt references undefined resource {resource}"
            )
        })?;
        crate::types::get(&existing.attributes, &path.replace('.', "/"))
            .cloned()
            .ok_or_else(|| {
                format!("Requested attribute {path} does not exist in schema for {resource}")
            })
    }

    fn substitute(&self, argument: &Value, depth: usize) -> Result<Value, String> {
        let (text, own) = match argument {
            Value::String(text) => (text.clone(), Map::new()),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(text), Value::Object(own)] => (text.clone(), own.clone()),
                _ => return Err("Template error: Fn::Sub requires a string and a map".to_owned()),
            },
            _ => return Err("Template error: Fn::Sub requires a string".to_owned()),
        };
        let mut out = String::new();
        for piece in pieces(&text) {
            match piece {
                Piece::Text(text) => out.push_str(&text),
                Piece::Name(name) => {
                    let value =
                        if let Some(own) = own.get(&name) {
                            self.value(own, depth)?
                        } else if let Some((resource, path)) =
                            name.split_once('.').filter(|_| !name.starts_with("AWS::"))
                        {
                            Some(self.attribute(
                                &Value::Array(vec![resource.into(), path.into()]),
                                depth,
                            )?)
                        } else {
                            self.reference(&name)?
                        };
                    out.push_str(&value.map(|value| string(&value)).unwrap_or_default());
                }
            }
        }
        Ok(out.into())
    }

    /// The outcome of a named condition.
    pub(super) fn condition(&self, name: &str) -> Result<bool, String> {
        self.named(name, 0)
    }

    fn named(&self, name: &str, depth: usize) -> Result<bool, String> {
        let condition = self.conditions.get(name).ok_or_else(|| {
            format!("Template format error: Unresolved condition dependency {name}")
        })?;
        self.holds(condition, depth + 1)
    }

    fn holds(&self, condition: &Value, depth: usize) -> Result<bool, String> {
        if depth > MAX_DEPTH {
            return Err("Template error: conditions are circular".to_owned());
        }
        let Some((name, argument)) = condition.as_object().and_then(single) else {
            return Err("Template error: a condition must be one function".to_owned());
        };
        let all = || -> Result<Vec<bool>, String> {
            argument
                .as_array()
                .into_iter()
                .flatten()
                .map(|inner| self.holds(inner, depth + 1))
                .collect()
        };
        match name {
            "Condition" => self.named(argument.as_str().unwrap_or_default(), depth + 1),
            "Fn::Equals" => {
                let [one, other] = self.arguments(name, argument, depth)?;
                Ok(string(&one) == string(&other))
            }
            "Fn::And" => Ok(all()?.into_iter().all(|it| it)),
            "Fn::Or" => Ok(all()?.into_iter().any(|it| it)),
            "Fn::Not" => match all()?.as_slice() {
                [only] => Ok(!only),
                _ => Err("Template error: Fn::Not requires one condition".to_owned()),
            },
            other => Err(format!("Template error: {other} is no condition function")),
        }
    }
}

fn string(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn list<'v>(name: &str, value: &'v Value) -> Result<&'v Vec<Value>, String> {
    value
        .as_array()
        .ok_or_else(|| format!("Template error: {name} requires a list"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudformation::references::references;
    use serde_json::json;

    fn evaluate(value: Value) -> Result<Option<Value>, String> {
        let parameters = BTreeMap::from([
            ("Name".to_owned(), "web".to_owned()),
            ("Zones".to_owned(), "a, b".to_owned()),
        ]);
        let conditions = json!({
            "IsWeb": {"Fn::Equals": [{"Ref": "Name"}, "web"]},
            "NotWeb": {"Fn::Not": [{"Condition": "IsWeb"}]},
            "Both": {"Fn::And": [{"Condition": "IsWeb"}, {"Condition": "NotWeb"}]},
            "Either": {"Fn::Or": [{"Condition": "IsWeb"}, {"Condition": "NotWeb"}]},
            "Loop": {"Fn::Not": [{"Condition": "Loop"}]},
        });
        let mappings = json!({"Sizes": {"eu": {"small": "1"}}});
        let attributes = json!({"Arn": "arn:x", "Endpoint": {"Port": "5432"}});
        let scope = Scope {
            parameters: &parameters,
            lists: &["Zones".to_owned()],
            pseudo: BTreeMap::from([("AWS::Region", "eu-west-1".to_owned())]),
            conditions: conditions.as_object().unwrap(),
            mappings: mappings.as_object().unwrap(),
            resources: BTreeMap::from([(
                "Role".to_owned(),
                Existing {
                    reference: "role-1".to_owned(),
                    attributes: attributes.as_object().unwrap().clone(),
                },
            )]),
        };
        scope.resolve(&value)
    }

    #[test]
    fn functions_evaluate() {
        for (value, expected) in [
            (json!({"Ref": "Name"}), json!("web")),
            (json!({"Ref": "Zones"}), json!(["a", "b"])),
            (json!({"Ref": "Role"}), json!("role-1")),
            (json!({"Fn::GetAtt": ["Role", "Arn"]}), json!("arn:x")),
            (json!({"Fn::GetAtt": "Role.Endpoint.Port"}), json!("5432")),
            (
                json!({"Fn::Sub": "${Name}-${AWS::Region}-${Role.Arn}-${!Name}"}),
                json!("web-eu-west-1-arn:x-${Name}"),
            ),
            (
                json!({"Fn::Sub": ["${A}-${Name}", {"A": {"Ref": "Role"}}]}),
                json!("role-1-web"),
            ),
            (
                json!({"Fn::Join": ["/", ["a", {"Ref": "Name"}]]}),
                json!("a/web"),
            ),
            (
                json!({"Fn::Select": [1, {"Fn::Split": [",", "x,y"]}]}),
                json!("y"),
            ),
            (json!({"Fn::If": ["IsWeb", 1, 2]}), json!(1)),
            (json!({"Fn::If": ["Both", 1, 2]}), json!(2)),
            (json!({"Fn::If": ["Either", 1, 2]}), json!(1)),
            (
                json!({"A": {"Fn::If": ["NotWeb", 1, {"Ref": "AWS::NoValue"}]}, "B": 1}),
                json!({"B": 1}),
            ),
            (
                json!({"Fn::FindInMap": ["Sizes", "eu", "small"]}),
                json!("1"),
            ),
            (json!({"Fn::Base64": "hi"}), json!("aGk=")),
        ] {
            assert_eq!(evaluate(value.clone()), Ok(Some(expected)), "{value}");
        }
    }

    #[test]
    fn mistakes_are_errors_not_loops() {
        for value in [
            json!({"Ref": "Absent"}),
            json!({"Fn::GetAtt": ["Role", "Absent"]}),
            json!({"Fn::ImportValue": "x"}),
            json!({"Fn::If": ["Loop", 1, 2]}),
            json!({"Fn::Join": ["a"]}),
        ] {
            assert!(evaluate(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn references_are_found_everywhere() {
        let value =
            json!({"A": [{"Ref": "X"}, {"Fn::Sub": ["${Y.Arn}${Own}", {"Own": {"Ref": "Z"}}]}]});
        assert_eq!(references(&value), ["X", "Y", "Z"]);
    }
}
