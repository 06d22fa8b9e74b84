//! Append-only events: enough to recover from a kill at any instant.
//!
//! The rules of the journal:
//! 1. [`EventKind::Intended`] is committed before its call is made.
//! 2. [`EventKind::Accepted`] and [`EventKind::Identified`] are committed from
//!    the first answer that carries them.
//! 3. The recorded state ([`crate::resource::Resource`]) changes in the same
//!    transaction as the event that says so.

use crate::{
    Timestamp,
    driver::{AttemptToken, Failure, OperationId, PatchOperation},
    graph::Address,
    id::{DestructionId, RolloutId},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whose events: a rollout's or a destruction's.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(tag = "kind", content = "id", rename_all = "kebab-case")]
#[schema(as = JournalStream)]
pub enum Stream {
    Rollout(RolloutId),
    Destruction(DestructionId),
}

impl Stream {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Rollout(id) => id.as_str(),
            Self::Destruction(id) => id.as_str(),
        }
    }
}

/// The call that an attempt is about to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "call", rename_all = "kebab-case")]
#[schema(as = JournalCall)]
pub enum Call {
    Create {
        /// References resolved: exactly what is sent.
        #[schema(value_type = Object)]
        properties: Value,
    },
    Update {
        identifier: String,
        patch: Vec<PatchOperation>,
    },
    Delete {
        identifier: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[schema(as = JournalEventKind)]
pub enum EventKind {
    Started,
    /// About to call. If we die now, the next start repeats the call with the
    /// same token while it is certainly valid, or looks for the resource.
    Intended {
        attempt: u32,
        #[schema(value_type = String)]
        token: AttemptToken,
        type_name: String,
        request: Call,
    },
    /// The cloud took the call. If we die now, the next start polls.
    Accepted {
        attempt: u32,
        operation: OperationId,
    },
    /// The cloud named the resource, perhaps before the operation ended.
    Identified {
        attempt: u32,
        identifier: String,
    },
    /// Exists with the wanted properties, recorded in the same transaction.
    Succeeded {
        attempt: u32,
        identifier: String,
    },
    /// This attempt failed; another may follow.
    AttemptFailed {
        attempt: u32,
        failure: Failure,
    },
    /// The node failed for this run.
    Failed {
        failure: Failure,
    },
    Blocked {
        by: Address,
    },
    /// Found in the cloud instead of created.
    Adopted {
        identifier: String,
        how: String,
    },
    /// Moved to the retained list, in the same transaction.
    Retained {
        identifier: String,
    },
    Unchanged {
        identifier: String,
    },
    Destroyed {
        identifier: String,
    },
    CancelRequested,
    Resumed,
    Finished {
        outcome: String,
        /// Why it ended without its nodes having come to an end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
}

/// One line of a journal. `seq` counts from 1 in each stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = JournalEvent)]
pub struct Event {
    pub stream: Stream,
    pub seq: u64,
    pub at: Timestamp,
    /// Absent for events of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    #[serde(flatten)]
    pub kind: EventKind,
}
