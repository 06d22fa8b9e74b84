//! The grant on Google Cloud: three service accounts, a custom role for each,
//! and who may act as them.
//!
//! Nothing confines whoever may set the policy of a service account, since
//! `modifiedGrantsByRole` is only documented for policies of projects, folders
//! and organizations. So no account of ours may do that: the customer's script
//! binds everything but the provisioner's role, and the bootstrap may bind that
//! one role only. By a key, the account whose key it is makes all of it, once,
//! and keeps nothing but the right to act as the three.
//!
//! On a folder or an organization, the script binds the provisioner's role too:
//! a bootstrap that could set a policy there would stand above everything below
//! it, so no account of ours can give anybody anything. A key's account
//! administers one project, so by a key there is no such grant.

mod tables;

use landfall_model::{
    connection::{GcpAccess, GcpConnection},
    grant::{
        GcpAccount, GcpBinding, GcpCondition, GcpGrant, GcpIdentity, GcpPermissionGroup, GcpPlace,
        GcpRole, GcpTrust, ServerPrincipal, version_mark,
    },
};
use tables::{Group, Refused};

/// Counts up with every change of the grant's meaning. It is the end of the
/// custom roles' descriptions and, where these may be out of our sight, of the
/// service accounts'.
pub const GRANT_VERSION: u32 = 2;

/// Lets a federated principal act as a service account.
pub const WORKLOAD_IDENTITY_USER: &str = "roles/iam.workloadIdentityUser";

/// Lets a service account act as another one.
pub const TOKEN_CREATOR: &str = "roles/iam.serviceAccountTokenCreator";

/// Lets the bootstrap set the project's policy, within a condition.
pub const PROJECT_IAM_ADMIN: &str = "roles/resourcemanager.projectIamAdmin";

const SET_POLICY: &str = "resourcemanager.projects.setIamPolicy";

/// Why a grant on Google Cloud cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The connection's method trusts something else.
    #[error("a connection by {method} cannot trust {principal}")]
    PrincipalKind {
        method: &'static str,
        principal: String,
    },
    #[error("Google Cloud cannot trust the issuer {url}: {reason}")]
    Issuer { url: String, reason: &'static str },
    #[error("'{email}' is not the address of a service account")]
    ServiceAccount { email: String },
    /// What the method starts from cannot make anything there.
    #[error(
        "a connection by {method} cannot be granted on {parent}: its account may administer one \
         project, and nothing above it"
    )]
    Parent {
        method: &'static str,
        parent: String,
    },
}

/// Everything that the customer of `connection` grants to the server
/// `principal`. The same input always gives the same grant.
pub fn grant(
    connection: GcpConnection<'_>,
    principal: &ServerPrincipal,
) -> Result<GcpGrant, PolicyError> {
    let trust = trust(connection, principal)?;
    let place = place(connection)?;
    let identities: Vec<GcpIdentity> = GcpIdentity::ALL
        .into_iter()
        .filter(|identity| *identity != GcpIdentity::Reaper || connection.with_reaper)
        .collect();
    let roles: Vec<GcpRole> = identities
        .iter()
        .map(|i| role(connection, place, *i))
        .collect();
    let apis = &tables::table().apis;
    let first = full(&apis.first);
    let entry = full(&apis.entry);
    let free = full(&apis.free);
    let (bootstrap_apis, free_apis) = match connection.access() {
        GcpAccess::WorkloadIdentity { .. } => {
            (sorted([first, entry, full(&apis.federation)]), free)
        }
        GcpAccess::Impersonation { .. } => (sorted([first, entry]), free),
        // The account of the key switches on by which it acts as others.
        GcpAccess::ServiceAccountKey { .. } => (first, [entry, free].concat()),
    };
    Ok(GcpGrant {
        version: GRANT_VERSION,
        project_id: connection.project_id().clone(),
        parent: connection.parent().cloned(),
        trust,
        accounts: identities
            .iter()
            .map(|i| account(connection, place, *i))
            .collect(),
        bindings: bindings(connection, place, &roles),
        permissions: permissions(place, &identities),
        roles,
        bootstrap_apis,
        free_apis,
        billed_apis: full(&apis.billed),
    })
}

/// Where the roles are bound.
fn place(connection: GcpConnection<'_>) -> Result<GcpPlace<'_>, PolicyError> {
    match (connection.parent(), connection.access()) {
        (None, _) => Ok(GcpPlace::Project(connection.project_id())),
        (Some(parent), GcpAccess::ServiceAccountKey { .. }) => Err(PolicyError::Parent {
            method: connection.method().as_str(),
            parent: parent.to_string(),
        }),
        (Some(parent), GcpAccess::WorkloadIdentity { .. } | GcpAccess::Impersonation { .. }) => {
            Ok(GcpPlace::Parent(parent))
        }
    }
}

fn full(apis: &[String]) -> Vec<String> {
    apis.iter()
        .map(|name| format!("{name}.googleapis.com"))
        .collect()
}

fn sorted<const N: usize>(apis: [Vec<String>; N]) -> Vec<String> {
    let mut apis = apis.concat();
    apis.sort();
    apis
}

fn trust(
    connection: GcpConnection<'_>,
    principal: &ServerPrincipal,
) -> Result<GcpTrust, PolicyError> {
    match (connection.access(), principal) {
        (GcpAccess::WorkloadIdentity { .. }, ServerPrincipal::Issuer { url }) => {
            let subject = connection.subject();
            Ok(GcpTrust::Federation {
                pool_id: connection.pool_id(),
                provider_id: connection.provider_id().to_owned(),
                issuer_url: issuer(url)?,
                // Made of ids, so nothing in it needs an escape in CEL.
                condition: format!("assertion.sub == '{subject}'"),
                subject,
                role: WORKLOAD_IDENTITY_USER.to_owned(),
            })
        }
        (
            GcpAccess::Impersonation {
                service_account: Some(service_account),
            },
            ServerPrincipal::GoogleServiceAccount { .. },
        )
        | (
            GcpAccess::ServiceAccountKey {
                service_account, ..
            },
            ServerPrincipal::GivenKey,
        ) => Ok(GcpTrust::Account {
            email: address(service_account)?,
            role: TOKEN_CREATOR.to_owned(),
        }),
        (_, principal) => Err(PolicyError::PrincipalKind {
            method: connection.method().as_str(),
            principal: principal.as_str().to_owned(),
        }),
    }
}

/// Google takes https URLs without query and fragment (Google Cloud docs:
/// "Configure Workload Identity Federation with other identity providers").
fn issuer(url: &str) -> Result<String, PolicyError> {
    let refuse = |reason| {
        Err(PolicyError::Issuer {
            url: url.to_owned(),
            reason,
        })
    };
    match url.strip_prefix("https://") {
        None | Some("") => return refuse("it must begin with https://"),
        Some(_) => {}
    }
    if url.contains(['?', '#']) {
        return refuse("it has a query or a fragment");
    }
    // What reaches a script is quoted; this keeps out what no URL has.
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) || url.contains(['\'', '"', '\\', '`']) {
        return refuse("it has characters that URLs do not have");
    }
    Ok(url.to_owned())
}

fn address(email: &str) -> Result<String, PolicyError> {
    let fits = email
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && host.ends_with(".gserviceaccount.com"))
        && email
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'@'));
    if fits {
        Ok(email.to_owned())
    } else {
        Err(PolicyError::ServiceAccount {
            email: email.to_owned(),
        })
    }
}

fn account(
    connection: GcpConnection<'_>,
    place: GcpPlace<'_>,
    identity: GcpIdentity,
) -> GcpAccount {
    let name = identity.as_str();
    let does = match (identity, place) {
        (GcpIdentity::Bootstrap, GcpPlace::Project(_)) => {
            "Switches APIs on and binds the provisioner's role, and can bind no other."
        }
        (GcpIdentity::Bootstrap, GcpPlace::Parent(_)) => {
            "Switches APIs on and reads the grant; can bind nothing."
        }
        (GcpIdentity::Provisioner, _) => "Makes and changes; cannot delete what holds data.",
        (GcpIdentity::Reaper, _) => "Deletes what a person approved; used for minutes.",
    };
    GcpAccount {
        identity,
        id: connection.service_account_id(name),
        email: connection.service_account_email(name),
        display_name: format!("Landfall {name}"),
        description: match place {
            GcpPlace::Project(_) => does.to_owned(),
            // Who is granted a folder alone cannot read the organization's
            // roles, and so not their versions.
            GcpPlace::Parent(_) => format!("{does} {}", version_mark(GRANT_VERSION)),
        },
    }
}

fn role(connection: GcpConnection<'_>, place: GcpPlace<'_>, identity: GcpIdentity) -> GcpRole {
    let id = connection.custom_role_id(identity.as_str());
    GcpRole {
        identity,
        name: format!("{}/roles/{id}", place.roles_in()),
        id,
        title: format!("Landfall {}", identity.as_str()),
        description: format!(
            "{} {}",
            match identity {
                GcpIdentity::Bootstrap => "What Landfall needs to switch APIs on.",
                GcpIdentity::Provisioner => "What Landfall needs to make and change environments.",
                GcpIdentity::Reaper => "What Landfall needs to delete what a person approved.",
            },
            version_mark(GRANT_VERSION)
        ),
        permissions: tables::permissions_of(identity, place),
    }
}

fn bindings(
    connection: GcpConnection<'_>,
    place: GcpPlace<'_>,
    roles: &[GcpRole],
) -> Vec<GcpBinding> {
    let in_project = matches!(place, GcpPlace::Project(_));
    let mut bindings: Vec<GcpBinding> = roles
        .iter()
        .map(|role| GcpBinding {
            identity: role.identity,
            role: role.name.clone(),
            condition: None,
            by_bootstrap: in_project && role.identity == GcpIdentity::Provisioner,
        })
        .collect();
    let provisioner = roles
        .iter()
        .find(|role| role.identity == GcpIdentity::Provisioner)
        .filter(|_| in_project);
    if let Some(provisioner) = provisioner {
        bindings.push(GcpBinding {
            identity: GcpIdentity::Bootstrap,
            role: PROJECT_IAM_ADMIN.to_owned(),
            condition: Some(GcpCondition {
                title: format!("landfall-{}", connection.suffix()),
                description: "May bind the provisioner's role, and no other".to_owned(),
                expression: format!(
                    "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', \
                     []).hasOnly(['{}'])",
                    provisioner.name
                ),
            }),
            by_bootstrap: false,
        });
    }
    bindings
}

fn permissions(place: GcpPlace<'_>, identities: &[GcpIdentity]) -> Vec<GcpPermissionGroup> {
    let table = tables::table();
    let mut groups: Vec<GcpPermissionGroup> = groups(&table.groups, &table.refused).collect();
    if let Some(above) = table.above(place) {
        for group in &mut groups {
            // Without its condition, there is no policy that it may set.
            if group.id == "bootstrap-no-widening" {
                group.permissions.insert(SET_POLICY.to_owned());
            }
        }
        let asked_there = |group| GcpPermissionGroup {
            above: true,
            ..group
        };
        groups.extend(self::groups(&above.groups, &above.refused).map(asked_there));
    }
    groups.retain(|group| identities.contains(&group.identity));
    groups
}

fn groups<'t>(
    allowed: &'t [Group],
    refused: &'t [Refused],
) -> impl Iterator<Item = GcpPermissionGroup> + 't {
    let allowed = allowed.iter().map(|group| GcpPermissionGroup {
        id: group.id.clone(),
        title: group.title.clone(),
        identity: group.identity,
        permissions: group.permissions(),
        expect_allowed: true,
        above: false,
    });
    let refused = refused.iter().flat_map(|refused| {
        refused
            .identities
            .iter()
            .map(move |identity| GcpPermissionGroup {
                id: format!("{}-no-{}", identity.as_str(), refused.id),
                title: format!("The {} {}", identity.as_str(), refused.title),
                identity: *identity,
                permissions: refused.permissions(),
                expect_allowed: false,
                above: false,
            })
    });
    allowed.chain(refused)
}
