//! The store, with an ear: after a commit, what changed is told to the hub. So
//! every change is told, whoever makes it (a use case, a worker, the engine),
//! and no use case can forget to.

use crate::hub::{Hub, Notice};
use async_trait::async_trait;
use landfall_model::{
    id::{OrganizationId, RolloutId},
    journal::Stream,
    store::{Around, Store, StoreResult, Write},
};
use std::sync::Arc;

pub(crate) struct Watched {
    inner: Arc<dyn Store>,
    hub: Arc<Hub>,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Store>, hub: Arc<Hub>) -> Self {
        Self { inner, hub }
    }
}

struct Told {
    notices: Vec<(OrganizationId, Notice)>,
    work: bool,
}

fn read(writes: &[Write]) -> Told {
    // Journal events name no organization; what stands beside them does.
    let owner = writes.iter().find_map(|write| match write {
        Write::Guard { lease, .. } => Some(&lease.organization_id),
        Write::PutRollout(rollout) => Some(&rollout.organization_id),
        _ => None,
    });
    let mut told = Told {
        notices: Vec::new(),
        work: false,
    };
    let mut journals: Vec<&RolloutId> = Vec::new();
    for write in writes {
        let notice = match write {
            Write::PutConnection(one) => (
                &one.organization_id,
                Notice::Connection {
                    connection_id: one.id.clone(),
                },
            ),
            Write::InsertCheckRun(run) => (
                &run.organization_id,
                Notice::Checks {
                    connection_id: run.connection_id.clone(),
                },
            ),
            Write::RevokeToken {
                organization_id, ..
            } => (organization_id, Notice::Access),
            Write::PutMember(one) => (&one.organization_id, Notice::Access),
            Write::PutApplication(one) => (
                &one.organization_id,
                Notice::Application {
                    application_id: one.id.clone(),
                },
            ),
            Write::PutEnvironment(one) => (
                &one.organization_id,
                Notice::Environment {
                    environment_id: one.id.clone(),
                },
            ),
            Write::PutPlan(plan) => (
                &plan.organization_id,
                Notice::Plan {
                    plan_id: plan.id.clone(),
                    environment_id: plan.environment_id.clone(),
                },
            ),
            Write::PutRollout(rollout) => (
                &rollout.organization_id,
                Notice::Rollout {
                    rollout_id: rollout.id.clone(),
                    environment_id: rollout.environment_id.clone(),
                },
            ),
            Write::PutRetained(one) => (
                &one.organization_id,
                Notice::Retained {
                    retained_id: one.id.clone(),
                },
            ),
            Write::Append {
                stream: Stream::Rollout(id),
                ..
            } => {
                if !journals.contains(&id) {
                    journals.push(id);
                }
                continue;
            }
            Write::Enqueue(_) => {
                told.work = true;
                continue;
            }
            _ => continue,
        };
        told.notices.push((notice.0.clone(), notice.1));
    }
    if let Some(owner) = owner {
        told.notices.extend(journals.into_iter().map(|id| {
            let rollout_id = id.clone();
            (owner.clone(), Notice::Journal { rollout_id })
        }));
    }
    told
}

#[async_trait]
impl Around for Watched {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    async fn commit_around(&self, writes: Vec<Write>) -> StoreResult<()> {
        let told = read(&writes);
        self.inner.commit(writes).await?;
        for (organization_id, notice) in told.notices {
            self.hub.tell(&organization_id, notice);
        }
        if told.work {
            self.hub.work.send_modify(|count| *count += 1);
        }
        Ok(())
    }
}
