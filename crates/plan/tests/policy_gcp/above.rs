//! The grant on a folder or an organization.

use super::{OURS, by_key, granted, issuer, keyless, known, ours, trusting};
use landfall_model::{
    connection::{Connection, Target},
    grant::{GcpGrant, GcpIdentity, ServerPrincipal, version_of},
};
use landfall_plan::policy::{self, gcp};

pub(crate) const PARENTS: [&str; 2] = ["organizations/456/folders/123", "organizations/456"];

pub(crate) fn on(parent: &str, mut connection: Connection) -> Connection {
    let Target::Gcp(target) = &mut connection.target else {
        panic!("Google Cloud");
    };
    target.parent = Some(parent.parse().unwrap());
    connection
}

fn all() -> Vec<(&'static str, GcpGrant)> {
    PARENTS
        .into_iter()
        .flat_map(|parent| {
            [
                (parent, granted(&on(parent, keyless()), &issuer())),
                (parent, granted(&on(parent, trusting(Some(OURS))), &ours())),
            ]
        })
        .collect()
}

/// A project's custom role cannot be bound on a folder.
#[test]
fn roles_are_the_organizations_and_are_bound_on_what_is_granted() {
    for (parent, grant) in all() {
        let resource = if parent.contains("folders") {
            "folders/123"
        } else {
            "organizations/456"
        };
        assert_eq!(grant.place().resource(), resource);
        assert_eq!(grant.place().roles_in(), "organizations/456");
        for role in &grant.roles {
            assert_eq!(role.name, format!("organizations/456/roles/{}", role.id));
        }
        let bound: Vec<&str> = grant.bindings.iter().map(|b| b.role.as_str()).collect();
        let roles: Vec<&str> = grant.roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(bound, roles, "each its own, and nothing else");
        for account in &grant.accounts {
            assert!(
                account
                    .email
                    .ends_with("@my-project-123.iam.gserviceaccount.com")
            );
            // The roles themselves may be out of our sight.
            assert_eq!(version_of(&account.description), Some(gcp::GRANT_VERSION));
            assert!(account.description.len() <= 256);
        }
    }
}

/// Whoever could set a policy there would stand above everything below it.
#[test]
fn no_account_of_ours_can_give_anybody_anything() {
    for (_, grant) in all() {
        for binding in &grant.bindings {
            assert!(!binding.by_bootstrap && binding.condition.is_none());
            assert!(!binding.role.starts_with("roles/"), "{}", binding.role);
        }
        for role in &grant.roles {
            for permission in &role.permissions {
                let verb = permission.rsplit('.').next().unwrap();
                // That of a service of Cloud Run says who may call it.
                assert!(
                    verb != "setIamPolicy" || permission == "run.services.setIamPolicy",
                    "{}: {permission}",
                    role.id
                );
                assert!(!permission.ends_with("projects.create"), "{permission}");
            }
        }
        for identity in GcpIdentity::ALL {
            let refused: Vec<&str> = grant
                .permissions
                .iter()
                .filter(|group| group.identity == identity && !group.expect_allowed)
                .flat_map(|group| &group.permissions)
                .map(String::as_str)
                .collect();
            for permission in [
                "resourcemanager.folders.create",
                "resourcemanager.folders.setIamPolicy",
                "resourcemanager.projects.create",
                "resourcemanager.projects.move",
                "resourcemanager.projects.setIamPolicy",
                "resourcemanager.projects.delete",
                "iam.roles.update",
            ] {
                assert!(refused.contains(&permission), "{identity:?}: {permission}");
            }
        }
    }
}

#[test]
fn what_is_above_is_read_by_the_bootstrap_and_asked_there() {
    let known = known();
    for (parent, grant) in all() {
        let project = granted(&keyless(), &issuer());
        for role in &grant.roles {
            let more: Vec<&str> = role
                .permissions
                .difference(&project.role(role.identity).unwrap().permissions)
                .map(String::as_str)
                .collect();
            let wanted: &[&str] = match (role.identity, parent.contains("folders")) {
                (GcpIdentity::Bootstrap, true) => &[
                    "orgpolicy.policy.get",
                    "resourcemanager.folders.get",
                    "resourcemanager.folders.getIamPolicy",
                ],
                (GcpIdentity::Bootstrap, false) => &[
                    "orgpolicy.policy.get",
                    "resourcemanager.folders.get",
                    "resourcemanager.folders.getIamPolicy",
                    "resourcemanager.organizations.get",
                    "resourcemanager.organizations.getIamPolicy",
                ],
                _ => &[],
            };
            assert_eq!(more, wanted, "{parent}: {}", role.id);
        }
        for group in &grant.permissions {
            assert!(group.permissions.iter().all(|one| known.contains(one)));
            let above = group
                .permissions
                .iter()
                .any(|one| one.contains("resourcemanager.folders."));
            // Google takes permissions of folders on a project for a mistake.
            assert_eq!(group.above, above, "{}", group.id);
        }
        let mut ids: Vec<&str> = grant.permissions.iter().map(|g| g.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), grant.permissions.len());
    }
}

#[test]
fn by_a_key_nothing_above_a_project_is_granted() {
    for parent in PARENTS {
        let connection = on(parent, by_key());
        let refused = policy::grant(&connection, &ServerPrincipal::GivenKey).unwrap_err();
        let said = refused.to_string();
        assert!(said.contains("service-account-key"), "{said}");
        assert!(said.contains(parent), "{said}");
        assert!(matches!(
            refused,
            policy::PolicyError::Gcp(gcp::PolicyError::Parent { .. })
        ));
    }
}

#[test]
fn without_a_reaper_nothing_of_it_is_above_either() {
    let mut connection = on(PARENTS[0], keyless());
    connection.with_reaper = false;
    let grant = granted(&connection, &issuer());
    assert_eq!(grant.bindings.len(), 2);
    assert!(!serde_json::to_string(&grant).unwrap().contains("reaper"));
}
