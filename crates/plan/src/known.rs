//! Resolving references while planning: some nodes are there, others will only
//! be made.

use landfall_model::graph::{Address, resolve};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of a node's resource.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub identifier: String,
    /// As observed now; `None` for one that is yet to be made under a name that
    /// is its identifier.
    pub properties: Option<Value>,
    /// As read when it was last applied: for what a read leaves out.
    pub outputs: Option<Value>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Known(BTreeMap<Address, Facts>);

impl Known {
    pub fn learn(&mut self, address: Address, facts: Facts) {
        self.0.insert(address, facts);
    }

    pub fn value(&self, address: &Address, attr: &str) -> Option<Value> {
        let facts = self.0.get(address)?;
        if attr == "$id" {
            return Some(Value::String(facts.identifier.clone()));
        }
        // Without a current look nothing but the identifier is certain.
        let now = facts.properties.as_ref()?;
        let there = |side: &Value| side.pointer(attr).filter(|it| !it.is_null()).cloned();
        there(now).or_else(|| facts.outputs.as_ref().and_then(there))
    }

    /// `value` with every reference that can be resolved replaced; text is only
    /// put together when all of it is known.
    pub fn settle(&self, value: &Value) -> Value {
        if let Ok(resolved) = resolve(value, &|address, attr| self.value(address, attr)) {
            return resolved;
        }
        match value {
            Value::Array(items) => items.iter().map(|item| self.settle(item)).collect(),
            Value::Object(members)
                if !members.contains_key("$ref") && !members.contains_key("$concat") =>
            {
                members
                    .iter()
                    .map(|(key, item)| (key.clone(), self.settle(item)))
                    .collect()
            }
            open => open.clone(),
        }
    }

    /// `value` with all references resolved, or nothing.
    pub fn resolved(&self, value: &Value) -> Option<Value> {
        resolve(value, &|address, attr| self.value(address, attr)).ok()
    }
}
