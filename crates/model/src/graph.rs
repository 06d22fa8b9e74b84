//! The resource graph that a blueprint wants: data, not code.
//!
//! Properties may hold references to what other nodes will have once they
//! exist:
//!
//! - `{"$ref": "network.vpc", "attr": "/VpcId"}`: an output of another node (a
//!   JSON pointer into its last read), or with `"attr": "$id"` its identifier;
//! - `{"$concat": ["prefix-", {"$ref": …}, …]}`: text put together.

use crate::id::EnvironmentId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Tags by which a resource is found again. A replaced resource keeps its tags,
/// so the second of an address carries its generation as well.
pub const TAG_ENVIRONMENT: &str = "landfall:environment";
pub const TAG_ADDRESS: &str = "landfall:address";
/// Absent on the first generation.
pub const TAG_GENERATION: &str = "landfall:generation";

/// A node's stable name inside its environment: `network.vpc`, `db.instance`.
/// Written into the resource's `landfall:address` tag.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct Address(String);

impl Address {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a resource is found when its identifier was lost in a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Lookup {
    /// The identifier is known before the call: read it. `identifier` may hold
    /// references; `name_pointer` is the property to suffix when a second
    /// generation must live beside the first (absent: cannot have one).
    Name {
        #[schema(value_type = Object)]
        identifier: Value,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name_pointer: Option<String>,
    },
    /// List (inside `scope`, if the type needs one) and compare the tags
    /// `landfall:environment` and `landfall:address`.
    Tags {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<Object>)]
        scope: Option<Value>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name_pointer: Option<String>,
    },
    /// The type has neither name nor tags: list inside `scope` and compare
    /// these properties (JSON pointers into the node's properties).
    Properties {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<Object>)]
        scope: Option<Value>,
        pointers: Vec<String>,
    },
}

/// What happens to the previous resource when a node needs a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Replacement {
    /// An ordinary resource: a plan that replaces it needs a person.
    Guarded,
    /// The type is a free, immutable revision by design (an ECS task
    /// definition): a new one is a new revision, no person is needed, and the
    /// old one is kept as retained.
    Revision,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Node {
    pub address: Address,
    /// `AWS::EC2::VPC`.
    pub type_name: String,
    /// One line for people: "Database subnet in eu-central-1a".
    pub title: String,
    /// The owned properties: only these are compared and patched.
    #[schema(value_type = Object)]
    pub properties: Value,
    /// Nodes to wait for beyond those that `properties` refers to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<Address>,
    /// Holds the customer's data: protected, never replaced or destroyed
    /// without a typed approval.
    pub stateful: bool,
    pub lookup: Lookup,
    pub replacement: Replacement,
    /// JSON pointers of properties that cannot be changed in place.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub create_only: BTreeSet<String>,
    /// Pointers that the cloud never returns: compared with what was last
    /// applied, not with what is observed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub write_only: BTreeSet<String>,
    /// Roughly, in US cents a month; `None` when it depends on use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_cents: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Graph {
    pub nodes: BTreeMap<Address, Node>,
}

/// A reference that cannot be resolved now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{attr} of {address} is not known")]
pub struct Unresolved {
    pub address: Address,
    pub attr: String,
}

impl Node {
    /// All nodes that must exist before this one.
    pub fn dependencies(&self) -> BTreeSet<Address> {
        let mut found = self.needs.clone();
        references(&self.properties, &mut found);
        match &self.lookup {
            Lookup::Name { identifier, .. } => references(identifier, &mut found),
            Lookup::Tags {
                scope: Some(scope), ..
            }
            | Lookup::Properties {
                scope: Some(scope), ..
            } => references(scope, &mut found),
            Lookup::Tags { .. } | Lookup::Properties { .. } => {}
        }
        found.remove(&self.address);
        found
    }
}

/// The tags of a resource, in whichever shape its type writes them: a list of
/// `Key` and `Value`, or an object.
pub fn tags(properties: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = ["Tags", "HostedZoneTags", "TagList", "tags", "labels"]
        .iter()
        .find_map(|name| properties.get(name));
    match found {
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| {
                let key = item.get("Key").or_else(|| item.get("key"))?;
                let value = item.get("Value").or_else(|| item.get("value"));
                Some((text(key), value.map(text).unwrap_or_default()))
            })
            .collect(),
        Some(Value::Object(members)) => members
            .iter()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// Whether `candidate` (properties as read) is the resource that `node` made
/// or would make. `wanted` is the node's properties, references resolved.
///
/// For [`Lookup::Name`] the candidate was read by that name: it is ours unless
/// its tags say that it is somebody else's.
pub fn matches(
    node: &Node,
    wanted: &Value,
    environment_id: &EnvironmentId,
    candidate: &Value,
) -> bool {
    let theirs = tags(candidate);
    match &node.lookup {
        Lookup::Name { .. } => {
            let agrees = |key: &str, ours: &str| theirs.get(key).is_none_or(|value| value == ours);
            agrees(TAG_ENVIRONMENT, environment_id.as_str())
                && agrees(TAG_ADDRESS, node.address.as_str())
        }
        Lookup::Tags { .. } => {
            theirs.get(TAG_ENVIRONMENT).map(String::as_str) == Some(environment_id.as_str())
                && theirs.get(TAG_ADDRESS).map(String::as_str) == Some(node.address.as_str())
                && theirs.get(TAG_GENERATION) == tags(wanted).get(TAG_GENERATION)
        }
        Lookup::Properties { pointers, .. } => {
            !pointers.is_empty()
                && pointers.iter().all(|pointer| {
                    let ours = wanted.pointer(pointer);
                    ours.is_some() && ours.map(plain) == candidate.pointer(pointer).map(plain)
                })
        }
    }
}

/// Clouds return some numbers as text.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Writes `{"$ref": address, "attr": attr}`.
pub fn reference(address: &Address, attr: &str) -> Value {
    serde_json::json!({ "$ref": address.as_str(), "attr": attr })
}

/// The identifier of another node.
pub fn identifier_of(address: &Address) -> Value {
    reference(address, "$id")
}

/// Whether an object stands for a value of another node, and not for itself.
pub fn is_reference(members: &serde_json::Map<String, Value>) -> bool {
    members.contains_key("$ref") || members.contains_key("$concat")
}

fn as_reference(value: &Value) -> Option<(Address, &str)> {
    let object = value.as_object().filter(|object| object.len() == 2)?;
    let address = object.get("$ref")?.as_str()?;
    let attr = object.get("attr")?.as_str()?;
    Some((Address::new(address), attr))
}

fn as_concat(value: &Value) -> Option<&Vec<Value>> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    object.get("$concat")?.as_array()
}

/// Adds every address that `value` refers to.
pub fn references(value: &Value, found: &mut BTreeSet<Address>) {
    if let Some((address, _)) = as_reference(value) {
        found.insert(address);
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(members) => members.values().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// `value` with every reference replaced by what `lookup(address, attr)` knows,
/// or the first reference that it does not.
pub fn resolve(
    value: &Value,
    lookup: &dyn Fn(&Address, &str) -> Option<Value>,
) -> Result<Value, Unresolved> {
    if let Some((address, attr)) = as_reference(value) {
        return lookup(&address, attr).ok_or_else(|| Unresolved {
            attr: attr.to_owned(),
            address,
        });
    }
    if let Some(parts) = as_concat(value) {
        let mut text = String::new();
        for part in parts {
            match resolve(part, lookup)? {
                Value::String(piece) => text.push_str(&piece),
                other => text.push_str(&other.to_string()),
            }
        }
        return Ok(Value::String(text));
    }
    Ok(match value {
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| resolve(item, lookup))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(key, item)| Ok((key.clone(), resolve(item, lookup)?)))
                .collect::<Result<_, Unresolved>>()?,
        ),
        plain => plain.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_found_and_resolved_at_any_depth() {
        let vpc = Address::new("network.vpc");
        let value = json!({
            "a": [reference(&vpc, "/VpcId")],
            "b": {"$concat": ["x-", identifier_of(&vpc), "-", 7]},
        });
        let mut found = BTreeSet::new();
        references(&value, &mut found);
        assert_eq!(found, BTreeSet::from([vpc.clone()]));
        let resolved = resolve(&value, &|_, attr| {
            Some(json!(if attr == "$id" { "vpc-1" } else { "vpc-2" }))
        });
        assert_eq!(resolved, Ok(json!({"a": ["vpc-2"], "b": "x-vpc-1-7"})));
        let unknown = resolve(&value, &|_, _| None).unwrap_err();
        assert_eq!(unknown.address, vpc);
    }

    fn node(lookup: Lookup, properties: Value) -> Node {
        Node {
            address: Address::new("network.vpc"),
            type_name: "AWS::EC2::VPC".into(),
            title: "Network".into(),
            properties,
            needs: BTreeSet::new(),
            stateful: false,
            lookup,
            replacement: Replacement::Guarded,
            create_only: BTreeSet::new(),
            write_only: BTreeSet::new(),
            monthly_cents: None,
        }
    }

    fn environment() -> EnvironmentId {
        "env_0190b5c8e0f07c3f8a1d2b3c4d5e6f70".parse().unwrap()
    }

    fn tagged(pairs: &[(&str, &str)]) -> Value {
        let list: Vec<Value> = pairs
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        json!({ "Tags": list })
    }

    #[test]
    fn tags_find_the_right_generation_only() {
        let id = environment();
        let ours = [(TAG_ENVIRONMENT, id.as_str()), (TAG_ADDRESS, "network.vpc")];
        let lookup = Lookup::Tags {
            scope: None,
            name_pointer: None,
        };
        let first = node(lookup.clone(), tagged(&ours));
        let second_tags = [ours[0], ours[1], (TAG_GENERATION, "2")];
        let second = node(lookup, tagged(&second_tags));

        let found = tagged(&[ours[0], ours[1], ("team", "blue")]);
        assert!(matches(&first, &first.properties, &id, &found));
        assert!(!matches(&second, &second.properties, &id, &found));
        assert!(matches(
            &second,
            &second.properties,
            &id,
            &tagged(&second_tags)
        ));
        assert!(!matches(
            &first,
            &first.properties,
            &id,
            &tagged(&[ours[1]])
        ));
    }

    #[test]
    fn a_name_is_ours_unless_its_tags_say_otherwise() {
        let id = environment();
        let lookup = Lookup::Name {
            identifier: json!("landfall-x"),
            name_pointer: None,
        };
        let it = node(lookup, json!({}));
        assert!(matches(&it, &json!({}), &id, &json!({})));
        let foreign = tagged(&[(TAG_ENVIRONMENT, "env_0190b5c8e0f07c3f8a1d2b3c4d5e6f71")]);
        assert!(!matches(&it, &json!({}), &id, &foreign));
    }

    #[test]
    fn properties_are_compared_as_the_cloud_writes_them() {
        let id = environment();
        let lookup = Lookup::Properties {
            scope: None,
            pointers: vec!["/GroupId".into(), "/FromPort".into()],
        };
        let it = node(lookup, json!({}));
        let wanted = json!({"GroupId": "sg-1", "FromPort": 5432});
        let same = json!({"GroupId": "sg-1", "FromPort": "5432", "Id": "sgr-1"});
        assert!(matches(&it, &wanted, &id, &same));
        assert!(!matches(&it, &wanted, &id, &json!({"GroupId": "sg-1"})));
        assert!(!matches(&it, &json!({}), &id, &json!({})));
    }
}
