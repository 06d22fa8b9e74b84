//! What an environment offers, once its resources are known.

use landfall_model::{graph, plan::Plan, resource::Resource};
use serde_json::Value;
use std::collections::BTreeMap;

/// The plan's endpoints, as far as the recorded resources resolve them. Pure.
pub fn endpoints(plan: &Plan, resources: &[Resource]) -> BTreeMap<String, String> {
    let lookup = |address: &graph::Address, attr: &str| {
        let resource = resources.iter().find(|one| &one.address == address)?;
        if attr == "$id" {
            return Some(Value::from(resource.identifier.as_str()));
        }
        let output = resource.outputs.pointer(attr);
        output.or_else(|| resource.applied.pointer(attr)).cloned()
    };
    plan.endpoints
        .iter()
        .filter_map(|(name, value)| match graph::resolve(value, &lookup) {
            Ok(Value::String(url)) => Some((name.clone(), url)),
            _ => None,
        })
        .collect()
}
