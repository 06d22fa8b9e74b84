//! Prints what the blueprint wants for several environments, as JSON: every
//! node with its references replaced by values of the right shape. Input of
//! tests/cfn_lint/validate.py.

#[path = "../tests/common/mod.rs"]
mod common;

use landfall_model::graph::resolve;
use serde_json::{Value, json};

fn main() {
    let mut scenarios = Vec::new();
    for (name, expansion) in common::scenarios() {
        let nodes: Vec<Value> = expansion
            .graph
            .nodes
            .values()
            .map(|node| {
                let lookup = |address: &_, attr: &str| {
                    let other = expansion.graph.nodes.get(address)?;
                    Some(common::cloud::placeholder(other, attr))
                };
                let properties = resolve(&node.properties, &lookup)
                    .expect("a blueprint refers to its own nodes only");
                json!({
                    "address": node.address,
                    "type": node.type_name,
                    "properties": properties,
                })
            })
            .collect();
        scenarios.push(json!({"scenario": name, "region": common::REGION, "nodes": nodes}));
    }
    println!("{}", Value::Array(scenarios));
}
