//! Who is calling, and what they may do: deny by default, grants inherited
//! from organization to folder to project.

use super::error::Refusal;
use super::policy::Policy;
use super::roles;
use super::state::{Node, ServiceAccount, State, Token};
use crate::clock::{SimTime, WallTime};
use crate::iam::Versioned;
use std::collections::BTreeSet;

/// An authenticated caller.
#[derive(Debug, Clone, Default)]
pub(super) struct Caller {
    /// As a policy names it: `serviceAccount:a@b`, `user:…`, `principal://…`.
    pub member: String,
    /// Sets that the caller is in besides: `principalSet://…`.
    pub sets: Vec<String>,
}

impl Caller {
    pub fn new(member: impl Into<String>) -> Self {
        let member = member.into();
        Self {
            sets: pool_of(&member)
                .map(|pool| vec![format!("principalSet:{pool}/*")])
                .unwrap_or_default(),
            member,
        }
    }

    pub fn account_email(&self) -> Option<&str> {
        self.member.strip_prefix("serviceAccount:")
    }

    fn is(&self, member: &str) -> bool {
        member == self.member
            || member == "allUsers"
            || member == "allAuthenticatedUsers"
            || self.sets.iter().any(|set| set == member)
            || member.strip_prefix("domain:").is_some_and(|domain| {
                self.member.starts_with("user:") && self.member.ends_with(&format!("@{domain}"))
            })
    }
}

/// `//iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/P`
/// of a federated principal.
pub(super) fn pool_of(member: &str) -> Option<&str> {
    let rest = member.strip_prefix("principal:")?;
    Some(&rest[..rest.find("/subject/")?])
}

/// The caller behind a bearer token that the sandbox has issued.
pub(super) fn of_token(state: &State, token: &str, now: WallTime) -> Option<Caller> {
    let known = state.tokens.get(token)?;
    let alive = known.expires.is_none_or(|expires| now < expires);
    (alive && stands(state, known)).then(|| Caller::new(known.member.clone()))
}

/// Whether whoever a token was issued to still exists: a new account of the
/// same address is somebody else. Federated tokens live on after their pool:
/// Google checks when it issues them.
fn stands(state: &State, token: &Token) -> bool {
    let Some(email) = token.member.strip_prefix("serviceAccount:") else {
        return true;
    };
    state.account(email).is_some_and(|(_, account)| {
        !account.disabled && token.account.as_ref() == Some(&account.unique_id)
    })
}

/// One question: may this caller do this?
pub(super) struct Question<'q> {
    pub state: &'q State,
    pub now: SimTime,
    pub wall: WallTime,
    pub caller: &'q Caller,
    /// Roles that the access grants or takes; empty for all but `setIamPolicy`.
    pub modified: &'q BTreeSet<String>,
}

impl Question<'_> {
    /// On something of the hierarchy, by its resource name.
    pub fn node(&self, permission: &str, node: &str) -> bool {
        self.state
            .chain(node)
            .iter()
            .any(|node| self.granted(permission, &node.policy))
    }

    /// On a service account, whose project is `node`.
    pub fn account(&self, permission: &str, account: &ServiceAccount, node: &str) -> bool {
        self.granted(permission, &account.policy) || self.node(permission, node)
    }

    fn granted(&self, permission: &str, policy: &Versioned<Policy>) -> bool {
        policy.effective(self.now).is_some_and(|policy| {
            policy.bindings.iter().any(|binding| {
                binding.members.iter().any(|member| self.caller.is(member))
                    && self.role_has(&binding.role, permission)
                    && binding.applies(self.modified, self.wall)
            })
        })
    }

    fn role_has(&self, role: &str, permission: &str) -> bool {
        if role.starts_with("roles/") {
            return roles::includes(role, permission);
        }
        custom_role(self.state, role).is_some_and(|(_, role)| {
            !role.deleted
                && role.stage != "DISABLED"
                && role
                    .permissions
                    .effective(self.now)
                    .is_some_and(|permissions| permissions.contains(permission))
        })
    }
}

/// A custom role by its full name (`projects/<id>/roles/<role>`).
pub(super) fn custom_role<'s>(
    state: &'s State,
    name: &str,
) -> Option<(&'s Node, &'s super::state::CustomRole)> {
    let (owner, id) = name.split_once("/roles/")?;
    let node = match owner.strip_prefix("projects/") {
        Some(project) => state.find_project(project)?.0,
        None => state.nodes.get(owner)?,
    };
    Some((node, node.roles.get(id)?))
}

/// Whether a role can be granted on a node: a predefined one, or a custom one
/// of the node or of something above it.
pub(super) fn grantable(state: &State, role: &str, node: &str) -> Result<(), Refusal> {
    let known = if role.starts_with("roles/") {
        roles::exists(role)
    } else {
        custom_role(state, role).is_some_and(|(owner, role)| {
            !role.deleted
                && state
                    .chain(node)
                    .iter()
                    .any(|above| above.name == owner.name)
        })
    };
    if known {
        Ok(())
    } else {
        Err(Refusal::invalid(format!(
            "Role ({role}) does not exist in the resource's hierarchy."
        )))
    }
}
