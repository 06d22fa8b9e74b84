//! Items of lists that people know by a name: tags, variables, containers,
//! statements.

use serde_json::Value;

/// What an item is called, and the property that says so.
pub fn name(item: &Value) -> Option<(&str, &'static str)> {
    ["Key", "Name", "Sid"]
        .into_iter()
        .find_map(|property| Some((item.get(property)?.as_str()?, property)))
}

/// What a tag or a variable is set to, and the property that holds it.
pub fn bare(item: &Value) -> Option<(&'static str, &Value)> {
    name(item)?;
    ["Value", "ValueFrom"]
        .into_iter()
        .find_map(|property| Some((property, item.get(property)?)))
}
