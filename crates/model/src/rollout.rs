//! One run of a plan.

use crate::{
    Timestamp,
    driver::Failure,
    graph::Address,
    id::{EnvironmentId, OrganizationId, PlanId, RolloutId},
    member::Role,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `Queued → Running → Succeeded | Failed | Canceled`; a running one may be
/// `Canceling`; `Failed` and `Canceled` can be resumed (→ `Queued`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
#[schema(as = RolloutState)]
pub enum State {
    Queued {
        since: Timestamp,
    },
    Running {
        since: Timestamp,
    },
    /// Operations in flight are followed to their end; nothing new starts.
    Canceling {
        since: Timestamp,
    },
    Succeeded {
        at: Timestamp,
    },
    Failed {
        at: Timestamp,
        failed: u32,
        blocked: u32,
    },
    Canceled {
        at: Timestamp,
    },
}

#[derive(Debug, thiserror::Error)]
#[error("a rollout that is {from} cannot become {to}")]
pub struct InvalidTransition {
    pub from: &'static str,
    pub to: &'static str,
}

impl State {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Running { .. } => "running",
            Self::Canceling { .. } => "canceling",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Canceled { .. } => "canceled",
        }
    }

    pub const fn is_over(&self) -> bool {
        matches!(
            self,
            Self::Succeeded { .. } | Self::Failed { .. } | Self::Canceled { .. }
        )
    }

    fn refuse(&self, to: &'static str) -> InvalidTransition {
        InvalidTransition {
            from: self.as_str(),
            to,
        }
    }

    pub fn running(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self {
            Self::Queued { .. } => Ok(Self::Running { since: now }),
            // A restart finds it running or canceling and goes on.
            Self::Running { .. } | Self::Canceling { .. } => Ok(self),
            _ => Err(self.refuse("running")),
        }
    }

    pub fn canceling(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self {
            Self::Queued { .. } | Self::Running { .. } => Ok(Self::Canceling { since: now }),
            Self::Canceling { .. } => Ok(self),
            _ => Err(self.refuse("canceling")),
        }
    }

    pub fn succeeded(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self {
            // Canceling: everything was done before the cancel was seen.
            Self::Running { .. } | Self::Canceling { .. } => Ok(Self::Succeeded { at: now }),
            _ => Err(self.refuse("succeeded")),
        }
    }

    pub fn failed(
        self,
        now: Timestamp,
        failed: u32,
        blocked: u32,
    ) -> Result<Self, InvalidTransition> {
        match self {
            Self::Running { .. } => Ok(Self::Failed {
                at: now,
                failed,
                blocked,
            }),
            _ => Err(self.refuse("failed")),
        }
    }

    pub fn canceled(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self {
            Self::Canceling { .. } => Ok(Self::Canceled { at: now }),
            _ => Err(self.refuse("canceled")),
        }
    }

    pub fn resumed(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self {
            Self::Failed { .. } | Self::Canceled { .. } => Ok(Self::Queued { since: now }),
            _ => Err(self.refuse("queued")),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Rollout {
    pub id: RolloutId,
    pub organization_id: OrganizationId,
    pub environment_id: EnvironmentId,
    pub plan_id: PlanId,
    pub started_by: String,
    pub started_by_role: Role,
    pub state: State,
    pub created_at: Timestamp,
    pub version: u64,
}

/// Where one address of a rollout is, derived from the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum NodeState {
    Waiting,
    Running {
        since: Timestamp,
        attempt: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identifier: Option<String>,
    },
    Done {
        at: Timestamp,
        identifier: String,
    },
    Failed {
        at: Timestamp,
        failure: Failure,
    },
    /// Something it stands on failed.
    Blocked {
        by: Address,
    },
    Retained {
        at: Timestamp,
        identifier: String,
    },
}

/// A rollout as people follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RolloutProgress {
    pub rollout: Rollout,
    /// Why it ended although no node did: the account could not be reached, the
    /// grant was taken back. What single nodes failed of is in `nodes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub nodes: BTreeMap<Address, NodeState>,
    pub done: u32,
    pub total: u32,
    /// Sequence number of the newest journal event in it.
    pub last_event: u64,
    /// Resolved endpoints, once known: `{"web": "http://…"}`.
    pub endpoints: BTreeMap<String, String>,
}
