//! Tags, which types write as a list of pairs or as an object.

use super::{Model, TypeInfo};
use serde_json::Value;
use std::collections::BTreeMap;

/// The tags of a model, empty when its type has none.
pub fn read_tags(info: &TypeInfo, model: &Model) -> BTreeMap<String, String> {
    let Some(value) = info.taggable.as_ref().and_then(|name| model.get(name)) else {
        return BTreeMap::new();
    };
    match value {
        Value::Array(items) => items
            .iter()
            .filter_map(|item| {
                let key = item.get("Key")?.as_str()?;
                let value = item.get("Value").and_then(Value::as_str).unwrap_or("");
                Some((key.to_owned(), value.to_owned()))
            })
            .collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or("").to_owned()))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// Tags that were set or changed, and keys that were taken away.
pub fn tags_changed(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> (BTreeMap<String, String>, Vec<String>) {
    let set = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let removed = before
        .keys()
        .filter(|key| !after.contains_key(*key))
        .cloned()
        .collect();
    (set, removed)
}
