//! Organization Policy v2, to read.

use super::{constraint, named};
use crate::gcp::call::{Answer, Call, page};
use crate::gcp::error::Refusal;
use serde_json::{Value, json};

fn name(node: &str, constraint: &str) -> String {
    format!("{node}/policies/{constraint}")
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Answer {
    let node = call.node(&named(call), "orgpolicy.policies.list")?;
    let all: Vec<Value> = node
        .org_policies
        .iter()
        .map(|(id, policy)| json!({ "name": name(&node.name, id), "spec": policy.spec }))
        .collect();
    page(call, "policies", all, 500)
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let node = call.node(&named(call), "orgpolicy.policy.get")?;
    let id = call.param("constraint");
    let policy = node.org_policies.get(&id).ok_or_else(|| {
        Refusal::not_found(format!(
            "The policy {} was not found.",
            name(&node.name, &id)
        ))
    })?;
    Ok(json!({ "name": name(&node.name, &id), "spec": policy.spec }))
}

pub(super) fn effective(call: &mut Call<'_, '_>) -> Answer {
    let node = call.node(&named(call), "orgpolicy.policy.get")?;
    let id = call.param("constraint");
    let rules = constraint::rules(call.state(), &node.name, &id);
    let mut shown = json!({ "name": name(&node.name, &id), "spec": {} });
    if !rules.is_empty() {
        shown["spec"]["rules"] = json!(rules);
    }
    Ok(shown)
}
