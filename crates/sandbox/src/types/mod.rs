//! The resource types that the simulated cloud knows, as data.
//!
//! `table.json` is derived (see `derive/derive.py`); `actions.json` is a
//! reviewed overlay that says when a handler really calls an action.

mod actions;
mod paths;
mod tags;
mod validate;

pub use actions::{Change, needed_actions, service_linked_role};
pub use paths::{found, get, set_default, strip, touched};
pub use tags::{read_tags, tags_changed};
pub use validate::violations;

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Properties of a resource, by name.
pub type Model = Map<String, Value>;

/// What AWS says about one resource type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeInfo {
    pub primary_identifier: Vec<String>,
    /// Name of the property that holds tags.
    pub taggable: Option<String>,
    pub required: Vec<String>,
    /// Property paths, `Endpoint/Address` or `Rules/*/Prefix`.
    pub read_only: Vec<String>,
    pub write_only: Vec<String>,
    pub create_only: Vec<String>,
    pub conditional_create_only: Vec<String>,
    /// Simulated seconds that a creation takes.
    pub seconds: u32,
    /// The same with a standby in another zone, where that differs.
    #[serde(default)]
    pub seconds_multi_az: Option<u32>,
    /// Sets of properties of which ListResources wants one in its ResourceModel.
    #[serde(default)]
    pub list_parents: Vec<Vec<String>>,
    /// IAM actions by handler: `create`, `read`, `update`, `delete`, `list`.
    pub handlers: BTreeMap<String, Vec<String>>,
    pub shape: Value,
    pub definitions: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Table {
    types: BTreeMap<String, TypeInfo>,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        serde_json::from_str(include_str!("table.json"))
            .expect("table.json is derived and committed with the code that reads it")
    })
}

/// The facts about a type, `AWS::EC2::VPC`.
pub fn lookup(type_name: &str) -> Option<&'static TypeInfo> {
    table().types.get(type_name)
}

/// Every type name, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    table().types.keys().map(String::as_str)
}

impl TypeInfo {
    /// Whether a property may never be set, at its first path segment.
    pub fn is_read_only(&self, property: &str) -> bool {
        self.read_only.iter().any(|path| path == property)
    }

    pub fn is_write_only(&self, property: &str) -> bool {
        self.write_only.iter().any(|path| path == property)
    }

    /// Identifier of a model: the primary identifier's parts joined by `|`.
    /// None while a part is still unknown.
    pub fn identifier(&self, model: &Model) -> Option<String> {
        let parts: Option<Vec<String>> = self
            .primary_identifier
            .iter()
            .map(|part| match model.get(part) {
                Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
                Some(Value::Number(number)) => Some(number.to_string()),
                _ => None,
            })
            .collect();
        parts.map(|parts| parts.join("|"))
    }

    /// Whether the caller chooses every part of the identifier.
    pub fn is_named_by(&self, desired: &Model) -> bool {
        self.primary_identifier
            .iter()
            .all(|part| !self.is_read_only(part) && desired.contains_key(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_table_names_a_property() {
        for name in names() {
            let info = lookup(name).unwrap();
            let properties = info.shape["properties"].as_object().unwrap();
            let paths = [
                &info.required,
                &info.read_only,
                &info.write_only,
                &info.create_only,
                &info.conditional_create_only,
                &info.primary_identifier,
            ];
            for path in paths.into_iter().flatten() {
                let first = path.split('/').next().unwrap();
                assert!(properties.contains_key(first), "{name}: {path}");
            }
        }
    }

    #[test]
    fn identifiers_join_their_parts() {
        let info = lookup("AWS::EC2::Route").unwrap();
        let mut model = Model::new();
        model.insert("RouteTableId".into(), "rtb-1".into());
        assert_eq!(info.identifier(&model), None);
        model.insert("CidrBlock".into(), "0.0.0.0/0".into());
        assert_eq!(info.identifier(&model).as_deref(), Some("rtb-1|0.0.0.0/0"));
    }
}
