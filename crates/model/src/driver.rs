//! One generic resource protocol per cloud, with one account, one region and
//! one identity behind it.

use crate::{Timestamp, connection::WrongCloud};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A call's idempotency token: one per journaled attempt, at most 64
/// characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptToken(pub String);

/// An asynchronous operation in the cloud, by which it can be polled after a
/// restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct OperationId(pub String);

/// A resource as the cloud describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    pub identifier: String,
    /// All properties that a read returns, defaulted and read-only included.
    pub properties: Value,
}

/// RFC 6902, the part that is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum PatchOperation {
    Add {
        path: String,
        #[schema(value_type = Object)]
        value: Value,
    },
    Replace {
        path: String,
        #[schema(value_type = Object)]
        value: Value,
    },
    Remove {
        path: String,
    },
}

/// What a started or polled operation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub operation: OperationId,
    /// As soon as the cloud says it, even while running or failed.
    pub identifier: Option<String>,
    pub status: Status,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Ask again, not before `retry_after` when the cloud says one.
    Running {
        retry_after: Option<Timestamp>,
    },
    Succeeded,
    Failed(Failure),
}

/// Why a call or an operation failed, as far as the engine must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Slow down and repeat.
    Throttled,
    /// The cloud's own trouble: repeat.
    Unavailable,
    /// The answer never came: the call may or may not have been accepted.
    Unknown,
    /// Another operation on the same resource is in flight: wait, repeat.
    Busy,
    /// Something this stands on has not settled yet (a new role): repeat for a
    /// while.
    NotSettled,
    /// A permission is missing; the failure names it.
    Denied,
    /// Our credentials or the whole grant are refused.
    Unauthorized,
    NotFound,
    AlreadyExists,
    /// The operation or its token is no longer known to the cloud.
    Forgotten,
    /// The resource holds something and refuses to be deleted.
    InUse,
    /// Deletion protection refused.
    Protected,
    Quota,
    /// The request is wrong: repeating it changes nothing.
    Invalid,
}

impl FailureKind {
    /// Whether the same attempt may be repeated as it is.
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::Unavailable | Self::Unknown | Self::Busy | Self::NotSettled
        )
    }
}

/// A cloud's refusal in words a user may read: no secrets, no tokens.
#[derive(
    Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, utoipa::ToSchema,
)]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    /// The cloud's own code: `AccessDenied`, `ThrottlingException`.
    pub code: String,
    pub message: String,
    /// For `Denied`: `rds:CreateDBInstance`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// For `Denied`: the ARN, when the cloud names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

/// A fault of ours: nothing was asked of any cloud.
impl From<WrongCloud> for Failure {
    fn from(wrong: WrongCloud) -> Self {
        Self::new(FailureKind::Invalid, "WrongCloud", wrong.to_string())
    }
}

impl Failure {
    pub fn new(kind: FailureKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.into(),
            action: None,
            resource: None,
        }
    }
}

/// Creates, reads, changes, deletes and lists resources of any type.
///
/// `create`, `update` and `delete` start an operation and return its first
/// progress. Repeating a call with the same token while the cloud remembers it
/// (AWS: 36 hours; the engine stops at 24) returns the same operation.
#[async_trait]
pub trait Driver: Send + Sync {
    async fn create(
        &self,
        type_name: &str,
        properties: &Value,
        token: &AttemptToken,
    ) -> Result<Progress, Failure>;

    async fn update(
        &self,
        type_name: &str,
        identifier: &str,
        patch: &[PatchOperation],
        token: &AttemptToken,
    ) -> Result<Progress, Failure>;

    async fn delete(
        &self,
        type_name: &str,
        identifier: &str,
        token: &AttemptToken,
    ) -> Result<Progress, Failure>;

    async fn poll(&self, operation: &OperationId) -> Result<Progress, Failure>;

    /// `None` when it does not exist.
    async fn read(&self, type_name: &str, identifier: &str) -> Result<Option<Observed>, Failure>;

    /// All resources of a type, inside `scope` for types that need a parent.
    /// What it returns may lack properties: read each for the whole.
    async fn list(&self, type_name: &str, scope: Option<&Value>) -> Result<Vec<Observed>, Failure>;
}
