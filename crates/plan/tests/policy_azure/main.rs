//! The grant on Azure: what it lists, what it must never list, and what its
//! conditions bind.

mod broad;
mod known;

use landfall_model::{
    Timestamp,
    connection::{Azure, AzureAccess, Breadth, Connection, State, Target},
    digest::Digest,
    entropy::SystemEntropy,
    grant::{
        AzureGrant, AzureRole, GrantSpec, Identity, ServerPrincipal,
        azure::{CONNECTION_MARK, VERSION_MARK, marked, object_id_of},
    },
    id::{ConnectionId, OrganizationId},
};
use landfall_plan::policy::{
    self,
    azure::{GRANT_VERSION, assignable_roles, supported_types},
};
use std::collections::BTreeSet;

fn connection(with_reaper: bool) -> Connection {
    let now = Timestamp::from_millis(1_800_000_000_000);
    Connection {
        id: "con_0190b5c8e0f07c3f8a1d2b3c4d5e6f70"
            .parse::<ConnectionId>()
            .unwrap(),
        organization_id: OrganizationId::at(now, &SystemEntropy),
        name: "test".to_owned(),
        target: Target::Azure(Azure {
            tenant_id: "11111111-1111-4111-8111-111111111111".parse().unwrap(),
            subscription_id: "22222222-2222-4222-8222-222222222222".parse().unwrap(),
            management_group: None,
            breadth: Breadth::Narrow,
            access: AzureAccess::WorkloadIdentity { client_id: None },
        }),
        external_id: "landfall-0123456789abcdef".to_owned(),
        migration: None,
        left_behind: None,
        rotation: None,
        regions: vec!["westeurope".to_owned()],
        default_region: None,
        with_reaper,
        grant_version: None,
        grant_digest: None,
        too_broad: false,
        checked_at: None,
        state: State::Pending { since: now },
        created_at: now,
        updated_at: now,
        version: 1,
    }
}

fn grant(with_reaper: bool) -> AzureGrant {
    grant_of(&connection(with_reaper))
}

fn grant_of(connection: &Connection) -> AzureGrant {
    let principal = ServerPrincipal::Issuer {
        url: "https://id.landfall.example".to_owned(),
    };
    let GrantSpec::Azure(grant) = policy::grant(connection, &principal).unwrap() else {
        panic!("the connection is to Azure");
    };
    grant
}

fn role(grant: &AzureGrant, identity: Identity) -> &AzureRole {
    grant.role(identity).expect("the role is granted")
}

#[test]
fn the_provisioner_deletes_nothing_and_cannot_widen_itself() {
    let grant = grant(true);
    let provisioner = role(&grant, Identity::Provisioner);
    for action in &provisioner.actions {
        let action = action.to_ascii_lowercase();
        assert!(!action.ends_with("/delete"), "{action}");
        for never in [
            "microsoft.authorization/roledefinitions/write",
            "microsoft.authorization/elevateaccess/action",
            "purge",
            "listkeys",
            "listcredentials",
            "regenerate",
            "federatedidentitycredentials",
            "managementpolicies",
        ] {
            assert!(!action.contains(never), "{action}");
        }
    }
    let has = |role: &AzureRole, action: &str| role.actions.iter().any(|one| one == action);
    assert!(has(provisioner, "Microsoft.Authorization/locks/write"));
    let reaper = role(&grant, Identity::Reaper);
    assert!(has(reaper, "Microsoft.Authorization/locks/delete"));
    for action in &reaper.actions {
        let action = action.to_ascii_lowercase();
        assert!(
            action.ends_with("/read") || action.ends_with("/delete"),
            "the reaper makes nothing: {action}"
        );
    }
    // What one makes, the other can take away.
    for made in supported_types() {
        assert!(has(provisioner, &format!("{made}/write")), "{made}");
        assert!(has(reaper, &format!("{made}/delete")), "{made}");
    }
}

#[test]
fn nothing_is_a_wildcard_and_everything_is_sorted_and_whole() {
    let grant = grant(true);
    for role in &grant.roles {
        let sorted: BTreeSet<&String> = role.actions.iter().collect();
        assert!(sorted.iter().eq(&role.actions.iter().collect::<Vec<_>>()));
        for action in &role.actions {
            assert!(!action.contains('*'), "{action}");
            let (namespace, rest) = action.split_once('/').unwrap();
            assert!(namespace.starts_with("Microsoft."), "{action}");
            let verb = rest.rsplit('/').next().unwrap();
            assert!(
                ["read", "write", "delete", "action"].contains(&verb),
                "{action}"
            );
        }
        assert_eq!(
            marked(&role.description, VERSION_MARK),
            Some(GRANT_VERSION.to_string().as_str())
        );
        assert_eq!(
            marked(&role.assignment, CONNECTION_MARK),
            Some("landfall-0123456789abcdef")
        );
        assert!(role.name.ends_with("4d5e6f70"), "{}", role.name);
    }
}

#[test]
fn every_namespace_that_is_used_is_registered() {
    let grant = grant(true);
    let registered: BTreeSet<&str> = grant
        .providers
        .iter()
        .map(|provider| provider.namespace.as_str())
        .collect();
    // Every subscription has these two from the start.
    let always = ["Microsoft.Authorization", "Microsoft.Resources"];
    for action in grant.roles.iter().flat_map(|role| &role.actions) {
        let (namespace, _) = action.split_once('/').unwrap();
        assert!(
            registered.contains(namespace) || always.contains(&namespace),
            "{action}"
        );
    }
    for namespace in registered {
        let register = format!("{namespace}/register/action");
        assert!(
            role(&grant, Identity::Provisioner)
                .actions
                .contains(&register)
        );
    }
}

#[test]
fn what_is_asked_is_what_is_granted() {
    for with_reaper in [true, false] {
        let grant = grant(with_reaper);
        let asked = |identity: Identity, allowed: bool| -> BTreeSet<&String> {
            grant
                .permissions
                .iter()
                .filter(|group| group.identity == identity && group.expect_allowed == allowed)
                .flat_map(|group| &group.actions)
                .collect()
        };
        for role in &grant.roles {
            let listed: BTreeSet<&String> = role.actions.iter().collect();
            assert_eq!(asked(role.identity, true), listed);
            let refused = asked(role.identity, false);
            assert!(!refused.is_empty());
            assert!(refused.is_disjoint(&listed), "{:?}", role.identity);
        }
        if !with_reaper {
            assert!(grant.role(Identity::Reaper).is_none());
            assert!(asked(Identity::Reaper, true).is_empty());
            assert!(asked(Identity::Reaper, false).is_empty());
        }
        let ids: BTreeSet<&str> = grant
            .permissions
            .iter()
            .map(|one| one.id.as_str())
            .collect();
        assert_eq!(ids.len(), grant.permissions.len(), "an id is used twice");
    }
}

#[test]
fn the_conditions_name_the_listed_roles_and_our_own_identities() {
    let with = grant(true);
    let provisioner = role(&with, Identity::Provisioner)
        .condition
        .clone()
        .unwrap();
    for (id, _) in assignable_roles() {
        assert!(provisioner.contains(id));
    }
    for identity in [Identity::Provisioner, Identity::Reaper] {
        assert!(provisioner.contains(object_id_of(identity)));
    }
    let reaper = role(&with, Identity::Reaper).condition.clone().unwrap();
    assert!(reaper.contains("@Resource[") && !reaper.contains("@Request["));
    let without = grant(false);
    let alone = role(&without, Identity::Provisioner)
        .condition
        .clone()
        .unwrap();
    assert!(!alone.contains(object_id_of(Identity::Reaper)));
}

/// A role that means something else has another version: customers are told by
/// it to grant again. After a change, raise `GRANT_VERSION` and add a line.
#[test]
fn a_change_of_meaning_has_a_version() {
    let digest = Digest::of_json(&grant(true).roles).unwrap();
    let versions = include_str!("versions.txt");
    let known = versions
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{GRANT_VERSION} ")));
    assert_eq!(
        known,
        Some(digest.as_str()),
        "the roles changed: raise GRANT_VERSION in src/policy/azure/mod.rs, and add its line to \
         tests/policy_azure/versions.txt"
    );
}
