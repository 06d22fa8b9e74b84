//! Replacing the secret of a connection.

use crate::{Timestamp, id::SecretId};
use serde::{Deserialize, Serialize};

/// How far the replacement of a secret has come. Written down before each step:
/// whatever is interrupted is found again, at least one secret works at any
/// time, and none is left that nobody knows of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SecretRotation)]
pub struct Rotation {
    pub since: Timestamp,
    #[serde(flatten)]
    pub step: RotationStep,
    /// Why it has not gone on; absent when nothing is in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "step", rename_all = "kebab-case")]
#[schema(as = SecretRotationStep)]
pub enum RotationStep {
    /// The cloud is asked for a secret named `name`. What has that name and is
    /// not ours to read was made by an attempt whose answer got lost: it is
    /// removed before the next one.
    Adding { name: String },
    /// The new one is stored and is tried until it works everywhere.
    Trying {
        secret_id: SecretId,
        /// The cloud's id of it; absent of one that a person entered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
        /// How often in a row it worked.
        worked: u32,
    },
    /// The new one is in use; the old one is taken away in the cloud.
    Removing { key_id: String },
    /// The one in use stays.
    GaveUp { reason: String },
}

impl Rotation {
    /// Whether something is still to be done.
    pub const fn is_open(&self) -> bool {
        !matches!(self.step, RotationStep::GaveUp { .. })
    }
}
