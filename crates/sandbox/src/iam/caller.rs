//! Who calls.

use crate::clock::WallTime;
use crate::rng::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An authenticated principal. Operations that outlive their call keep a copy:
/// handlers act with the caller's session to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub account_id: String,
    /// As GetCallerIdentity and error messages show it:
    /// `arn:aws:sts::1:assumed-role/name/session` or `arn:aws:iam::1:user/name`.
    pub arn: String,
    /// `AROA…:session` or `AIDA…`.
    pub user_id: String,
    pub kind: CallerKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CallerKind {
    /// An IAM user with long-lived keys.
    User { name: String },
    /// A role, in a session that STS issued.
    AssumedRole {
        role_name: String,
        role_arn: String,
        role_id: String,
        session_name: String,
        /// Documents of the session policies; empty when none were passed.
        session_policies: Vec<String>,
        session_tags: BTreeMap<String, String>,
        /// Condition keys that a web identity left in the session:
        /// `aws:FederatedProvider` and the token's audience and subject.
        #[serde(default)]
        federated: BTreeMap<String, String>,
    },
}

/// Name of the user whose keys the ready JSON gives.
pub(crate) const ADMINISTRATOR: &str = "administrator";

impl Caller {
    pub(crate) fn administrator(account_id: &str) -> Self {
        Self {
            account_id: account_id.to_owned(),
            arn: format!("arn:aws:iam::{account_id}:user/{ADMINISTRATOR}"),
            user_id: Rng::seeded_for(0, account_id).iam_id("AIDA"),
            kind: CallerKind::User {
                name: ADMINISTRATOR.to_owned(),
            },
        }
    }

    /// The session name of an assumed role.
    pub fn session_name(&self) -> Option<&str> {
        match &self.kind {
            CallerKind::AssumedRole { session_name, .. } => Some(session_name),
            CallerKind::User { .. } => None,
        }
    }

    /// The IAM principal behind the caller: the role's or the user's ARN.
    pub fn principal_arn(&self) -> &str {
        match &self.kind {
            CallerKind::AssumedRole { role_arn, .. } => role_arn,
            CallerKind::User { .. } => &self.arn,
        }
    }
}

/// Temporary credentials that STS issued, kept under their access key id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    pub caller: Caller,
    pub secret_access_key: String,
    pub session_token: String,
    /// Wall time, see [`crate::clock`].
    pub expires: WallTime,
}
