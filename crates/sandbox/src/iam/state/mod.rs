//! Roles, policies and identity providers of one account.
//!
//! Mutations validate documents, enforce IAM's sizes and carry the moment from
//! which they count; errors carry IAM's codes (`EntityAlreadyExists`,
//! `NoSuchEntity`, `MalformedPolicyDocument`, `LimitExceeded`, `DeleteConflict`).

mod limits;
mod policies;
mod providers;
mod roles;
#[cfg(test)]
mod tests;
mod versioned;

pub(crate) use providers::host_and_path;
pub use providers::{NewOidcProvider, OidcProvider};
pub use versioned::Versioned;

use crate::clock::{SimTime, WallTime};
use crate::rng::Rng;
use crate::wire::AwsError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// When a change happens, and when it takes effect.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// For dates that answers show.
    pub wall: WallTime,
    pub now: SimTime,
    /// Simulated time from which the change counts.
    pub effective_at: SimTime,
    /// Randomness for the ids of what is created.
    pub nonce: u64,
}

impl Moment {
    /// An id with this prefix that no other moment makes.
    fn id(&self, prefix: &str) -> String {
        Rng::seeded_for(self.nonce, prefix).iam_id(prefix)
    }
}

/// What gives a role its permissions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Grants {
    /// Inline policies: name to document.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached managed policies.
    pub attached: BTreeSet<String>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    /// `/` or `/a/b/`
    pub path: String,
    /// `AROA…`
    pub id: String,
    pub arn: String,
    pub description: Option<String>,
    pub created: WallTime,
    /// Seconds.
    pub max_session_duration: u32,
    pub trust: Versioned<String>,
    pub grants: Versioned<Grants>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManagedPolicy {
    pub name: String,
    pub path: String,
    /// `ANPA…`
    pub id: String,
    pub arn: String,
    pub description: Option<String>,
    pub created: WallTime,
    pub updated: WallTime,
    /// Documents by the number in `v1`.
    pub versions: BTreeMap<u32, PolicyVersion>,
    pub default_version: Versioned<u32>,
    pub tags: BTreeMap<String, String>,
    /// Roles to which its own resource attached it; others did so themselves.
    #[serde(default)]
    pub own_roles: BTreeSet<String>,
    /// Numbers are never given twice, also not after a deletion.
    next_version: u32,
}

impl ManagedPolicy {
    /// The document that reads show as the default version's.
    pub fn document(&self) -> &str {
        self.document_of(*self.default_version.latest())
    }

    /// The document that counts at `now`, if the policy counts yet.
    pub fn effective_document(&self, now: SimTime) -> Option<&str> {
        self.default_version
            .effective(now)
            .map(|version| self.document_of(*version))
    }

    fn document_of(&self, version: u32) -> &str {
        // A version that was default is deletable at once, while during the
        // lag it still counts: then the newest stands in for it.
        self.versions
            .get(&version)
            .or_else(|| self.versions.values().next_back())
            .map_or("", |version| &version.document)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersion {
    pub document: String,
    pub created: WallTime,
}

/// A role to create. Inline policies, attachments and boundary are checked
/// before anything is made, as CloudFormation's handler would fail as a whole.
#[derive(Debug, Clone, Default)]
pub struct NewRole {
    pub name: String,
    /// `/` when empty.
    pub path: String,
    pub trust: String,
    pub description: Option<String>,
    /// Seconds; 3600 when absent.
    pub max_session_duration: Option<u32>,
    pub permissions_boundary: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub inline: BTreeMap<String, String>,
    pub attached: Vec<String>,
}

/// A managed policy to create.
#[derive(Debug, Clone, Default)]
pub struct NewPolicy {
    pub name: String,
    /// `/` when empty.
    pub path: String,
    pub document: String,
    pub description: Option<String>,
    pub tags: BTreeMap<String, String>,
}

/// Everything IAM knows about one account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    account_id: String,
    roles: BTreeMap<String, Role>,
    /// By ARN.
    policies: BTreeMap<String, ManagedPolicy>,
    /// By ARN.
    #[serde(default)]
    oidc_providers: BTreeMap<String, OidcProvider>,
}

impl State {
    pub fn new(account_id: &str) -> Self {
        Self {
            account_id: account_id.to_owned(),
            ..Self::default()
        }
    }

    pub fn role(&self, name: &str) -> Result<&Role, AwsError> {
        self.roles.get(name).ok_or_else(|| no_role(name))
    }

    /// All roles, by name.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    /// A customer managed policy.
    pub fn policy(&self, arn: &str) -> Result<&ManagedPolicy, AwsError> {
        self.policies.get(arn).ok_or_else(|| no_policy(arn))
    }

    /// All customer managed policies, by ARN.
    pub fn policies(&self) -> impl Iterator<Item = &ManagedPolicy> {
        self.policies.values()
    }

    /// The roles to which a managed policy is attached.
    pub fn attached_to<'a>(&'a self, arn: &'a str) -> impl Iterator<Item = &'a Role> {
        self.roles()
            .filter(move |role| role.grants.latest().attached.contains(arn))
    }

    /// The roles that a managed policy bounds.
    pub fn bounded_by<'a>(&'a self, arn: &'a str) -> impl Iterator<Item = &'a Role> {
        self.roles()
            .filter(move |role| role.grants.latest().boundary.as_deref() == Some(arn))
    }

    fn role_mut(&mut self, name: &str) -> Result<&mut Role, AwsError> {
        self.roles.get_mut(name).ok_or_else(|| no_role(name))
    }

    fn policy_mut(&mut self, arn: &str) -> Result<&mut ManagedPolicy, AwsError> {
        self.policies.get_mut(arn).ok_or_else(|| no_policy(arn))
    }
}

fn no_role(name: &str) -> AwsError {
    no_entity(format!("The role with name {name} cannot be found."))
}

fn no_policy(arn: &str) -> AwsError {
    no_entity(format!("Policy {arn} was not found."))
}

pub(super) fn no_entity(message: String) -> AwsError {
    AwsError::new(404, "NoSuchEntity", message)
}

fn delete_conflict(message: &str) -> AwsError {
    AwsError::new(409, "DeleteConflict", message)
}
