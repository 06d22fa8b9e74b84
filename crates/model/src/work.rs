//! Durable work: rows that workers claim under a lease with a fencing epoch.

use crate::{
    Timestamp,
    id::{ConnectionId, DestructionId, OrganizationId, RolloutId, WorkId},
};
use serde::{Deserialize, Serialize};

/// What is to be done. One row per subject: enqueuing what is already queued
/// only moves it earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Job {
    /// Drive a rollout to its end.
    Rollout { rollout_id: RolloutId },
    /// Drive one approved destruction to its end.
    Destruction {
        destruction_id: DestructionId,
        retained_id: crate::id::RetainedId,
    },
    /// Look for a pending, propagating or revoked connection's grant.
    Detect { connection_id: ConnectionId },
    /// Run all checks of a connection; schedules its own next run.
    Verify { connection_id: ConnectionId },
    /// Look whether the way that a connection moves to is granted.
    Migrate { connection_id: ConnectionId },
    /// Take the next step of replacing a connection's secret.
    Rotate { connection_id: ConnectionId },
}

impl Job {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Rollout { .. } => "rollout",
            Self::Destruction { .. } => "destruction",
            Self::Detect { .. } => "detect",
            Self::Verify { .. } => "verify",
            Self::Migrate { .. } => "migrate",
            Self::Rotate { .. } => "rotate",
        }
    }

    /// Unique among open rows.
    pub fn key(&self) -> String {
        let subject = match self {
            Self::Rollout { rollout_id } => rollout_id.as_str(),
            Self::Destruction { destruction_id, .. } => destruction_id.as_str(),
            Self::Detect { connection_id }
            | Self::Verify { connection_id }
            | Self::Migrate { connection_id }
            | Self::Rotate { connection_id } => connection_id.as_str(),
        };
        format!("{}/{subject}", self.kind())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWork {
    pub id: WorkId,
    pub organization_id: OrganizationId,
    pub job: Job,
    pub run_at: Timestamp,
}

/// A claimed row. Every write made under it names `epoch`; after another worker
/// has claimed the row, such a write is refused ([`crate::store::StoreError::Fenced`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub work_id: WorkId,
    pub organization_id: OrganizationId,
    pub job: Job,
    /// Counts claims of this row, from 1.
    pub epoch: u64,
    /// How often it was claimed without being finished or postponed.
    pub attempts: u32,
    pub until: Timestamp,
}
