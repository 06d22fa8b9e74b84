//! The grant on Azure: two custom roles, computed from one reviewed table.
//!
//! Azure knows neither explicit denials nor conditions on a resource's name or
//! tags: a role is what it lists, at the scope where it is assigned. So the
//! provisioner lists no deletion at all, and its one permission to assign roles
//! is bound by a condition on the assignment.
//!
//! Where the broad role was chosen, it takes the provisioner's place; the reaper
//! is as always.

mod broad;
mod condition;
mod table;

use landfall_model::{
    connection::{AzureConnection, Breadth},
    grant::{
        AzureGrant, AzurePermissionGroup, AzureProvider, AzureRole, Identity,
        azure::{CONNECTION_MARK, VERSION_MARK},
    },
};
use std::collections::BTreeSet;
use table::{Group, table};

/// Counts up with every change of the roles' meaning. A role with a lower
/// number in its description has to be granted again.
pub const GRANT_VERSION: u32 = 1;

/// Everything that the customer of `connection` grants. The same input always
/// gives the same roles. Whom the applications trust is not part of them: it is
/// one federated credential, the same for every version.
pub fn grant(connection: AzureConnection<'_>) -> AzureGrant {
    let identities: &[Identity] = if connection.with_reaper {
        &[Identity::Provisioner, Identity::Reaper]
    } else {
        &[Identity::Provisioner]
    };
    AzureGrant {
        version: GRANT_VERSION,
        scope: connection.grant_scope(),
        roles: identities
            .iter()
            .map(|identity| role(connection, *identity))
            .collect(),
        providers: providers(),
        permissions: questions(connection),
    }
}

fn role(connection: AzureConnection<'_>, identity: Identity) -> AzureRole {
    let who = identity.as_str();
    let broad = is_broad(connection, identity);
    let does = match identity {
        Identity::Provisioner if broad => "does everything but a few things, as was chosen",
        Identity::Provisioner => "makes and changes, and deletes nothing",
        Identity::Reaper => "deletes, one approved resource at a time, and makes nothing",
    };
    AzureRole {
        identity,
        name: connection.display_name(who),
        description: format!("Landfall's {who}: {does}. Generated; {VERSION_MARK}{GRANT_VERSION}"),
        actions: if broad {
            broad::ACTIONS.map(str::to_owned).into()
        } else {
            actions(identity).into_iter().collect()
        },
        not_actions: if broad {
            broad::NOT_ACTIONS.map(str::to_owned).into()
        } else {
            Vec::new()
        },
        condition: (!broad).then(|| condition::of(identity, connection.with_reaper)),
        assignment: format!(
            "Landfall's {who}. {CONNECTION_MARK}{}",
            connection.external_id
        ),
    }
}

fn is_broad(connection: AzureConnection<'_>, identity: Identity) -> bool {
    identity == Identity::Provisioner && connection.breadth() == Breadth::Broad
}

fn providers() -> Vec<AzureProvider> {
    table()
        .providers
        .iter()
        .map(|provider| AzureProvider {
            namespace: provider.namespace.clone(),
            purpose: provider.purpose.clone(),
        })
        .collect()
}

/// All that an identity may do.
fn actions(identity: Identity) -> BTreeSet<String> {
    let mut actions: BTreeSet<String> = table()
        .groups
        .iter()
        .flat_map(|group| group.actions(identity))
        .collect();
    if identity == Identity::Provisioner {
        actions.extend(registrations());
    }
    actions
}

/// Landfall registers the providers by itself, so that a feature which is used
/// later needs nobody.
fn registrations() -> impl Iterator<Item = String> {
    table()
        .providers
        .iter()
        .map(|provider| format!("{}/register/action", provider.namespace))
}

/// What the checks ask of the effective permissions.
fn questions(connection: AzureConnection<'_>) -> Vec<AzurePermissionGroup> {
    let table = table();
    let with_reaper = connection.with_reaper;
    let allowed = |identity: Identity, prefix: &'static str| {
        table.groups.iter().filter_map(move |group: &Group| {
            let actions: Vec<String> = group.actions(identity).into_iter().collect();
            (!actions.is_empty()).then(|| AzurePermissionGroup {
                id: format!("{prefix}{}", group.id),
                title: match identity {
                    Identity::Provisioner => group.title.clone(),
                    Identity::Reaper => format!("Approved destruction: {}", group.title),
                },
                identity,
                actions,
                expect_allowed: true,
            })
        })
    };
    let mut groups: Vec<AzurePermissionGroup> = allowed(Identity::Provisioner, "").collect();
    groups.push(AzurePermissionGroup {
        id: "registration".to_owned(),
        title: "Registering resource providers".to_owned(),
        identity: Identity::Provisioner,
        actions: registrations().collect(),
        expect_allowed: true,
    });
    if with_reaper {
        groups.extend(allowed(Identity::Reaper, "destruction-"));
    }
    if is_broad(connection, Identity::Provisioner) {
        groups.push(broad::refused());
    }
    groups.extend(
        table
            .refused
            .iter()
            .filter(|refused| with_reaper || refused.identity == Identity::Provisioner)
            .filter(|refused| !is_broad(connection, refused.identity))
            .map(|refused| {
                let mut actions = refused.actions.clone();
                if refused.stateful_deletes {
                    actions.extend(stateful_deletes());
                }
                actions.sort();
                AzurePermissionGroup {
                    id: refused.id.clone(),
                    title: refused.title.clone(),
                    identity: refused.identity,
                    actions,
                    expect_allowed: false,
                }
            }),
    );
    groups
}

fn stateful_deletes() -> impl Iterator<Item = String> {
    table()
        .groups
        .iter()
        .flat_map(|group| &group.types)
        .filter(|one| one.stateful)
        .map(|one| format!("{}/delete", one.name))
}

/// The types that the grant has permissions for.
pub fn supported_types() -> impl Iterator<Item = &'static str> {
    table()
        .groups
        .iter()
        .flat_map(|group| &group.types)
        .map(|one| one.name.as_str())
}

/// The built-in roles that the provisioner may give to workloads, by id.
pub fn assignable_roles() -> impl Iterator<Item = (&'static str, &'static str)> {
    table()
        .assignable
        .iter()
        .map(|role| (role.id.as_str(), role.name.as_str()))
}
