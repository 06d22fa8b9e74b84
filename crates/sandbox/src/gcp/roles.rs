//! Predefined roles, from a table; basic roles, from rules over it.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// Derived by `derive/gcp.py`.
const TABLE: &str = include_str!("roles.json");

#[derive(Deserialize)]
struct Table {
    /// Role to resource to verbs, separated by blanks.
    roles: BTreeMap<String, BTreeMap<String, String>>,
}

struct Known {
    roles: BTreeMap<String, BTreeSet<String>>,
    universe: BTreeSet<String>,
}

/// Permissions that no predefined role of the table has, and that the sandbox
/// asks for, or is asked for.
const MORE: [&str; 8] = [
    "iam.serviceAccountKeys.create",
    "iam.serviceAccountKeys.delete",
    "iam.serviceAccountKeys.get",
    "iam.serviceAccountKeys.list",
    "resourcemanager.organizations.setIamPolicy",
    "resourcemanager.projects.delete",
    "resourcemanager.projects.move",
    "resourcemanager.projects.undelete",
];

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let table: Table = serde_json::from_str(TABLE).expect("the committed table is well-formed");
        let mut universe: BTreeSet<String> = MORE.iter().map(|&p| p.to_owned()).collect();
        let mut roles = BTreeMap::new();
        for (name, resources) in table.roles {
            let permissions: BTreeSet<String> = resources
                .iter()
                .flat_map(|(resource, verbs)| {
                    verbs
                        .split(' ')
                        .map(move |verb| format!("{resource}.{verb}"))
                })
                .collect();
            universe.extend(permissions.iter().cloned());
            roles.insert(name, permissions);
        }
        Known { roles, universe }
    })
}

/// Whether a predefined role exists.
pub(super) fn exists(role: &str) -> bool {
    is_basic(role) || known().roles.contains_key(role)
}

pub(super) fn is_basic(role: &str) -> bool {
    matches!(role, "roles/owner" | "roles/editor" | "roles/viewer")
}

/// Whether a permission is one that Google has, as far as the table goes.
pub(super) fn is_permission(permission: &str) -> bool {
    known().universe.contains(permission)
}

/// Whether a predefined role has a permission.
pub(super) fn includes(role: &str, permission: &str) -> bool {
    if !is_basic(role) {
        return known()
            .roles
            .get(role)
            .is_some_and(|permissions| permissions.contains(permission));
    }
    if !is_permission(permission) || above_projects(permission) || impersonates(permission) {
        return false;
    }
    let verb = permission.rsplit('.').next().unwrap_or_default();
    match role {
        "roles/owner" => true,
        "roles/editor" => {
            verb != "setIamPolicy"
                && !permission.starts_with("iam.roles.")
                && (!permission.starts_with("resourcemanager.projects.")
                    || matches!(verb, "get" | "getIamPolicy" | "list" | "update"))
                && (!permission.contains("workloadIdentityPool") || matches!(verb, "get" | "list"))
        }
        _ => verb.starts_with("get") || verb.starts_with("list"),
    }
}

/// The permissions of a predefined role, for those that can be listed.
pub(super) fn permissions(role: &str) -> Option<&'static BTreeSet<String>> {
    known().roles.get(role)
}

/// The predefined roles that can be listed.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    known().roles.keys().map(String::as_str)
}

/// What an owner of a project may not do, since it concerns what is above it.
fn above_projects(permission: &str) -> bool {
    [
        "orgpolicy.",
        "resourcemanager.organizations.",
        "resourcemanager.folders.",
        "billing.accounts.",
        "resourcemanager.projects.create",
    ]
    .iter()
    .any(|prefix| permission.starts_with(prefix) && !permission.contains("PolicyBinding"))
}

/// Basic roles do not let anyone act as a service account by its tokens
/// (Google Cloud docs: "Service account impersonation").
fn impersonates(permission: &str) -> bool {
    matches!(
        permission,
        "iam.serviceAccounts.getAccessToken"
            | "iam.serviceAccounts.getOpenIdToken"
            | "iam.serviceAccounts.implicitDelegation"
            | "iam.serviceAccounts.signBlob"
            | "iam.serviceAccounts.signJwt"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_may_not_take_an_identity_and_an_editor_may_not_grant() {
        assert!(includes(
            "roles/owner",
            "resourcemanager.projects.setIamPolicy"
        ));
        assert!(!includes(
            "roles/owner",
            "iam.serviceAccounts.getAccessToken"
        ));
        assert!(!includes("roles/owner", "orgpolicy.policy.get"));
        assert!(!includes(
            "roles/editor",
            "resourcemanager.projects.setIamPolicy"
        ));
        assert!(includes("roles/viewer", "run.services.get"));
        assert!(!includes("roles/viewer", "run.services.create"));
        assert!(includes(
            "roles/iam.workloadIdentityUser",
            "iam.serviceAccounts.getAccessToken"
        ));
        assert!(!includes("roles/nobody", "run.services.get"));
    }
}
