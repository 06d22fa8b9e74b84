//! What differs between the roles and their specification, in words.

use super::{Role, Snapshot, document::normal};
use landfall_model::grant::{AwsGrant, Identity, RoleSpec};
use std::collections::BTreeMap;

/// Empty when the account has exactly what the specification asks for.
pub(crate) fn differences(spec: &AwsGrant, found: &Snapshot) -> Vec<String> {
    let mut said = Vec::new();
    for wanted in &spec.roles {
        match found.roles.get(&wanted.identity) {
            Some(role) => of_role(wanted, role, &mut said),
            None => said.push(format!("the {} was not found", wanted.identity.as_str())),
        }
    }
    match &found.boundary {
        None => said.push(format!("the policy {} is missing", spec.boundary.name)),
        Some(document) if *document != normal(spec.boundary.document.clone()) => {
            said.push(format!("the policy {} was edited", spec.boundary.name));
        }
        Some(_) => {}
    }
    said
}

fn of_role(wanted: &RoleSpec, role: &Role, said: &mut Vec<String>) {
    let who = match wanted.identity {
        Identity::Provisioner => "the provisioner",
        Identity::Reaper => "the reaper",
    };
    if role.trust != normal(wanted.trust.clone()) {
        said.push(format!("{who}'s trust policy was edited"));
    }
    if i64::from(role.max_session) != i64::from(wanted.max_session) {
        said.push(format!(
            "{who}'s maximum session is {} s instead of {} s",
            role.max_session, wanted.max_session
        ));
    }
    if let Some(boundary) = &role.boundary {
        said.push(format!("{who} has the permissions boundary {boundary}"));
    }
    let tags: BTreeMap<_, _> = wanted
        .tags
        .iter()
        .filter(|(key, _)| key.starts_with("landfall:"))
        .collect();
    for (key, value) in &tags {
        match role.tags.get(*key) {
            Some(is) if is == *value => {}
            Some(is) => said.push(format!("{who}'s tag {key} is {is} instead of {value}")),
            None => said.push(format!("{who}'s tag {key} is missing")),
        }
    }
    for key in role.tags.keys() {
        if !tags.contains_key(key) {
            said.push(format!("{who} has another tag, {key}"));
        }
    }
    of_policies(wanted, role, who, said);
}

fn of_policies(wanted: &RoleSpec, role: &Role, who: &str, said: &mut Vec<String>) {
    let mut attached: BTreeMap<&str, (&str, _)> = role
        .attached
        .iter()
        .map(|(arn, document)| {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            (name, (arn.as_str(), document))
        })
        .collect();
    for policy in &wanted.policies {
        match attached.remove(policy.name.as_str()) {
            None => said.push(format!("{who} lacks the policy {}", policy.name)),
            Some((_, None)) => said.push(format!("the policy {} cannot be read", policy.name)),
            Some((_, Some(document))) if *document != normal(policy.document.clone()) => {
                said.push(format!("the policy {} was edited", policy.name));
            }
            Some(_) => {}
        }
    }
    for (arn, _) in attached.values() {
        said.push(format!("{who} also has the policy {arn}"));
    }
    for name in role.inline.keys() {
        said.push(format!("{who} also has the inline policy {name}"));
    }
}
