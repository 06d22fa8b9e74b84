//! What the provisioner will be refused, known before it is tried.

use super::tables::{self, Phase};
use serde_json::Value;

/// A change that a plan is about to make to one resource.
#[derive(Clone, Copy, Debug)]
pub enum Operation<'a> {
    Create,
    /// With the resource's properties as they are in the cloud.
    Update {
        observed: &'a Value,
    },
}

/// Why the provisioner's own permissions refuse to set one of `properties`
/// (names at the top: `BackupRetentionPeriod`), or `None` when they do not.
///
/// A plan that needs such a change can say so instead of failing at it: these
/// are the changes that a person makes in the account.
pub fn refused_change<'p>(
    type_name: &str,
    operation: Operation<'_>,
    properties: impl IntoIterator<Item = &'p str>,
) -> Option<&'static str> {
    let properties: Vec<&str> = properties.into_iter().collect();
    let (phase, observed) = match operation {
        Operation::Create => (Phase::Create, None),
        Operation::Update { observed } => (Phase::Update, Some(observed)),
    };
    tables::overlay()
        .refused
        .iter()
        .filter(|entry| entry.type_name == type_name && entry.phases.contains(&phase))
        .filter(|entry| {
            properties.iter().any(|property| {
                entry
                    .properties
                    .iter()
                    .any(|name| name == "*" || name == property)
            })
        })
        .find(|entry| {
            entry.unless_tag.is_empty()
                || !entry
                    .unless_tag
                    .iter()
                    .all(|(key, value)| observed.is_some_and(|at| has_tag(at, key, value)))
        })
        .map(|entry| entry.reason.as_str())
}

fn has_tag(properties: &Value, key: &str, value: &str) -> bool {
    properties
        .get("Tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .any(|tag| {
            tag.get("Key").and_then(Value::as_str) == Some(key)
                && tag.get("Value").and_then(Value::as_str) == Some(value)
        })
}
