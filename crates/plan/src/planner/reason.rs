//! Why, in sentences.

use crate::diff::Difference;
use landfall_model::{
    graph::{Address, Lookup, Node},
    plan::{Action, Plan},
};
use std::collections::BTreeMap;

pub(super) fn why(difference: &Difference) -> String {
    let wished = (!difference.wished.is_empty())
        .then(|| format!("another {} is wanted", names(&difference.wished)));
    let drifted = (!difference.drifted.is_empty()).then(|| {
        format!(
            "{} was changed outside Landfall",
            names(&difference.drifted)
        )
    });
    let parts: Vec<String> = wished.into_iter().chain(drifted).collect();
    parts.join("; ")
}

pub(super) fn adopted(node: &Node, difference: &Difference) -> String {
    let how = match &node.lookup {
        Lookup::Name { .. } => "its name",
        Lookup::Tags { .. } => "its tags",
        Lookup::Properties { .. } => "its place",
    };
    let all: Vec<String> = difference
        .wished
        .iter()
        .chain(&difference.drifted)
        .cloned()
        .collect();
    if all.is_empty() {
        format!("there already, and ours by {how}")
    } else {
        format!(
            "there already, and ours by {how}; {} is put right",
            names(&all)
        )
    }
}

/// Pointers as people say them: `Tags.team, DesiredCount`.
fn names(pointers: &[String]) -> String {
    let words: Vec<String> = pointers
        .iter()
        .map(|pointer| pointer.trim_start_matches('/').replace('/', "."))
        .collect();
    words.join(", ")
}

/// What is different between a plan and one made later, in sentences; empty
/// when an approval of one would be an approval of the other.
pub fn changed(old: &Plan, new: &Plan) -> Vec<String> {
    let by_address = |plan: &Plan| -> BTreeMap<Address, Action> {
        let actions = plan.actions.iter();
        actions.map(|it| (it.address.clone(), it.clone())).collect()
    };
    let (before, after) = (by_address(old), by_address(new));
    let mut found = Vec::new();
    for (address, then) in &before {
        if !after.contains_key(address) {
            let what = then.change.as_str();
            found.push(format!(
                "{address}: was to {what}, and is no longer in the plan"
            ));
        }
    }
    for (address, now) in &after {
        let (what, reason) = (now.change.as_str(), &now.reason);
        match before.get(address) {
            None => found.push(format!("{address}: new in the plan, to {what} ({reason})")),
            Some(then) if then.change.as_str() != what => found.push(format!(
                "{address}: was to {}, now to {what} ({reason})",
                then.change.as_str()
            )),
            Some(then) if then.change != now.change => {
                found.push(format!(
                    "{address}: still to {what}, but differently ({reason})"
                ));
            }
            Some(_) if old.graph.nodes.get(address) != new.graph.nodes.get(address) => {
                found.push(format!(
                    "{address}: still to {what}, but something else is wanted of it"
                ));
            }
            Some(then) if then != now => {
                found.push(format!(
                    "{address}: still to {what}, for another reason ({reason})"
                ));
            }
            Some(_) => {}
        }
    }
    if found.is_empty() && old.digest != new.digest {
        found.push("the order of the plan's steps is another".to_owned());
    }
    found
}
