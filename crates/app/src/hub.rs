//! Live notices inside this process, for server-sent events.
//!
//! A notice says what changed, not how: who hears it reads the record again.
//! Another replica's changes are not heard here, so streams also look at the
//! store now and then.

use landfall_model::{
    check::Check,
    id::{
        ApplicationId, ConnectionId, EnvironmentId, OrganizationId, PlanId, RetainedId, RolloutId,
    },
};
use serde::Serialize;
use tokio::sync::{broadcast, watch};

/// Enough for the events of a rollout's busiest second; who is slower is told
/// that it missed some.
const CAPACITY: usize = 1024;

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Notice {
    /// It changed: read it again.
    Connection {
        connection_id: ConnectionId,
    },
    /// A check of a running verification ended.
    Check {
        connection_id: ConnectionId,
        check: Check,
    },
    /// A verification was stored.
    Checks {
        connection_id: ConnectionId,
    },
    Application {
        application_id: ApplicationId,
    },
    Environment {
        environment_id: EnvironmentId,
    },
    Plan {
        plan_id: PlanId,
        environment_id: EnvironmentId,
    },
    Rollout {
        rollout_id: RolloutId,
        environment_id: EnvironmentId,
    },
    /// New events in a rollout's journal.
    Journal {
        rollout_id: RolloutId,
    },
    Retained {
        retained_id: RetainedId,
    },
    /// A token was revoked or a member changed: who listens must prove again
    /// who they are.
    Access,
    /// More happened than could be told: read again whatever is shown.
    Missed,
}

#[derive(Clone, Debug)]
struct Addressed {
    organization_id: OrganizationId,
    notice: Notice,
}

pub(crate) struct Hub {
    notices: broadcast::Sender<Addressed>,
    /// Counts enqueued work, and so wakes this process's workers.
    pub(crate) work: watch::Sender<u64>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            notices: broadcast::Sender::new(CAPACITY),
            work: watch::Sender::new(0),
        }
    }
}

impl Hub {
    pub(crate) fn tell(&self, organization_id: &OrganizationId, notice: Notice) {
        // Nobody listening is the ordinary case.
        let _ = self.notices.send(Addressed {
            organization_id: organization_id.clone(),
            notice,
        });
    }

    pub(crate) fn subscribe(&self, organization_id: OrganizationId) -> Subscription {
        Subscription {
            organization_id,
            notices: self.notices.subscribe(),
        }
    }
}

/// One listener, who hears its organization only.
pub struct Subscription {
    organization_id: OrganizationId,
    notices: broadcast::Receiver<Addressed>,
}

impl Subscription {
    /// The next notice; `None` when the server is going away. Cancel safe.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            match self.notices.recv().await {
                Ok(Addressed {
                    organization_id,
                    notice,
                }) => {
                    if organization_id == self.organization_id {
                        return Some(notice);
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => return Some(Notice::Missed),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
