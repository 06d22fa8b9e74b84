//! Every action, held against the actions and patterns of Microsoft's built-in
//! roles, as the sandbox's derivation of them has it.

use super::grant;
use landfall_model::grant::Identity;
use landfall_plan::policy::azure::assignable_roles;
use serde_json::Value;
use std::collections::BTreeSet;

fn roles() -> Value {
    let text = include_str!("../../../sandbox/src/azure/arm/roles.json");
    serde_json::from_str::<Value>(text).unwrap()["roles"].take()
}

/// In a built-in role, `x/*/write` is meant to cover `x/write` too.
fn covers(pattern: &str, action: &str) -> bool {
    let matches = |pattern: &str| {
        let mut rest = action;
        let parts: Vec<&str> = pattern.split('*').collect();
        let Some((first, others)) = parts.split_first() else {
            return false;
        };
        match rest.strip_prefix(first) {
            Some(behind) => rest = behind,
            None => return false,
        }
        let Some((last, middle)) = others.split_last() else {
            return rest.is_empty();
        };
        for part in middle {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    };
    matches(pattern) || matches(&pattern.replace("/*/", "/"))
}

/// Of these types no built-in role in the table says more than `*`. A part was
/// looked up in Microsoft's documentation, some in public code only: Azure
/// refuses a whole role for one action that it does not know, so these are the
/// first to check on the real one.
const BY_HAND: [&str; 11] = [
    "microsoft.app/jobs/",
    "microsoft.app/locations/",
    "microsoft.cache/locations/",
    "microsoft.cache/redisenterprise/",
    "microsoft.compute/locations/usages/",
    "microsoft.containerregistry/",
    "microsoft.dbforpostgresql/",
    "microsoft.resources/subscriptions/locations/",
    "microsoft.resources/subscriptions/providers/",
    "microsoft.resources/subscriptions/resource",
    "microsoft.storage/checknameavailability/",
];

#[test]
fn every_action_is_one_that_azure_knows() {
    let roles = roles();
    let patterns: BTreeSet<String> = roles
        .as_object()
        .unwrap()
        .values()
        .flat_map(|role| role["permissions"].as_array().unwrap())
        .flat_map(|permission| permission["actions"].as_array().unwrap())
        .map(|action| action.as_str().unwrap().to_lowercase())
        // These cover what does not exist as well.
        .filter(|pattern| pattern != "*" && pattern != "*/read")
        .collect();
    let grant = grant(true);
    let (mut covered, mut by_hand) = (0, BTreeSet::new());
    for action in grant.roles.iter().flat_map(|role| &role.actions) {
        let lower = action.to_lowercase();
        if lower.ends_with("/register/action") {
            continue;
        }
        if patterns.iter().any(|pattern| covers(pattern, &lower)) {
            covered += 1;
        } else if let Some(prefix) = BY_HAND.iter().find(|prefix| lower.starts_with(**prefix)) {
            by_hand.insert(*prefix);
        } else {
            panic!("no built-in role has {action}: look it up and add it to BY_HAND");
        }
    }
    assert!(covered > 80, "{covered}");
    assert_eq!(by_hand.len(), BY_HAND.len(), "one of BY_HAND is not needed");
}

#[test]
fn the_roles_that_may_be_assigned_are_those_of_that_name_and_manage_nothing() {
    let roles = roles();
    for (id, name) in assignable_roles() {
        let role = &roles[name];
        assert_eq!(role["id"], id, "{name}");
        for permission in role["permissions"].as_array().unwrap() {
            for action in permission["actions"].as_array().unwrap() {
                let action = action.as_str().unwrap();
                assert!(
                    !action.contains("Microsoft.Authorization") && action != "*",
                    "{name} may {action}"
                );
            }
        }
    }
    let names: Vec<&str> = assignable_roles().map(|(_, name)| name).collect();
    for never in ["Owner", "Contributor", "User Access Administrator"] {
        assert!(!names.contains(&never));
    }
    assert!(grant(true).role(Identity::Reaper).is_some());
}
