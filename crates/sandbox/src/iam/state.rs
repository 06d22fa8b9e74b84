//! Roles and policies of one account.

use crate::clock::{SimTime, WallTime};
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

/// A value whose changes count later than they are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Versioned<T> {
    latest: T,
    effective_at: SimTime,
    /// What counts until `effective_at`, oldest first, each with the time from
    /// which it counts.
    superseded: Vec<(SimTime, T)>,
}

impl<T> Versioned<T> {
    pub fn new(value: T, effective_at: SimTime) -> Self {
        Self {
            latest: value,
            effective_at,
            superseded: Vec::new(),
        }
    }

    /// What was written last, as reads show it.
    pub fn latest(&self) -> &T {
        &self.latest
    }

    /// What counts now; nothing when even the first version is still on its way.
    pub fn effective(&self, now: SimTime) -> Option<&T> {
        if self.effective_at <= now {
            return Some(&self.latest);
        }
        self.superseded
            .iter()
            .rev()
            .find(|(from, _)| *from <= now)
            .map(|(_, value)| value)
    }
}

/// What gives a role its permissions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Grants {
    /// Inline policies: name to document.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached managed policies.
    pub attached: BTreeSet<String>,
    pub boundary: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
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
    /// Documents by version id (`v1`).
    pub versions: BTreeMap<String, PolicyVersion>,
    pub default_version: Versioned<String>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyVersion {
    pub document: String,
    pub created: WallTime,
}

/// A role to create. Policies and boundary are as CreateRole plus the calls
/// that CloudFormation makes after it.
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
    pub path: String,
    pub document: String,
    pub description: Option<String>,
    pub tags: BTreeMap<String, String>,
}

/// Everything IAM knows about one account. Mutations validate documents and
/// enforce IAM's sizes; errors carry IAM's codes (`EntityAlreadyExists`,
/// `NoSuchEntity`, `MalformedPolicyDocument`, `LimitExceeded`, `DeleteConflict`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    account_id: String,
    roles: BTreeMap<String, Role>,
    policies: BTreeMap<String, ManagedPolicy>,
}

impl State {
    pub fn new(account_id: &str) -> Self {
        Self {
            account_id: account_id.to_owned(),
            ..Self::default()
        }
    }

    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    pub fn role(&self, name: &str) -> Result<&Role, AwsError> {
        self.roles.get(name).ok_or_else(|| {
            AwsError::new(
                404,
                "NoSuchEntity",
                format!("The role with name {name} cannot be found."),
            )
        })
    }

    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    pub fn policy(&self, arn: &str) -> Result<&ManagedPolicy, AwsError> {
        self.policies.get(arn).ok_or_else(|| {
            AwsError::new(
                404,
                "NoSuchEntity",
                format!("Policy {arn} does not exist or is not attachable."),
            )
        })
    }

    pub fn policies(&self) -> impl Iterator<Item = &ManagedPolicy> {
        self.policies.values()
    }
}
