//! The store, with an ear: after a commit, what changed is told to the hub. So
//! every change is told, whoever makes it (a use case, a worker, the engine),
//! and no use case can forget to.

use crate::hub::{Hub, Notice};
use async_trait::async_trait;
use landfall_model::{
    Timestamp,
    application::Application,
    audit,
    check::CheckRun,
    connection::Connection,
    digest::Digest,
    environment::Environment,
    id::*,
    journal::{Event, Stream},
    member::Member,
    organization::Organization,
    plan::Plan,
    resource::Resource,
    retained::Retained,
    rollout::Rollout,
    secret::Secret,
    session::Session,
    signing_key::SigningKey,
    store::{Idempotency, Store, StoreResult, Write},
    token::Token,
    work::{Job, Lease},
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

macro_rules! forward {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for Watched {
            async fn commit(&self, writes: Vec<Write>) -> StoreResult<()> {
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

            $(async fn $name(&self, $($arg: $type),*) -> StoreResult<$answer> {
                self.inner.$name($($arg),*).await
            })*
        }
    };
}

forward! {
    describe() -> String;
    organizations() -> Vec<Organization>;
    organization(id: &OrganizationId) -> Option<Organization>;
    members(organization: &OrganizationId) -> Vec<Member>;
    member(organization: &OrganizationId, id: &MemberId) -> Option<Member>;
    tokens(organization: &OrganizationId) -> Vec<Token>;
    token(organization: &OrganizationId, id: &TokenId) -> Option<Token>;
    token_by_secret(secret_hash: &Digest) -> Option<Token>;
    session_by_secret(secret_hash: &Digest) -> Option<Session>;
    secrets(organization: &OrganizationId) -> Vec<Secret>;
    secret(organization: &OrganizationId, id: &SecretId) -> Option<Secret>;
    secrets_under(key_version: u32, after: Option<&SecretId>, limit: u32) -> Vec<Secret>;
    secret_counts() -> Vec<(u32, u64)>;
    signing_keys() -> Vec<SigningKey>;
    connections(organization: &OrganizationId) -> Vec<Connection>;
    connection(organization: &OrganizationId, id: &ConnectionId) -> Option<Connection>;
    check_runs(organization: &OrganizationId, connection: &ConnectionId, limit: u32) -> Vec<CheckRun>;
    applications(organization: &OrganizationId) -> Vec<Application>;
    application(organization: &OrganizationId, id: &ApplicationId) -> Option<Application>;
    environments(organization: &OrganizationId) -> Vec<Environment>;
    environment(organization: &OrganizationId, id: &EnvironmentId) -> Option<Environment>;
    resources(environment: &EnvironmentId) -> Vec<Resource>;
    plan(organization: &OrganizationId, id: &PlanId) -> Option<Plan>;
    plans(organization: &OrganizationId, environment: &EnvironmentId, limit: u32) -> Vec<Plan>;
    rollout(organization: &OrganizationId, id: &RolloutId) -> Option<Rollout>;
    rollouts(organization: &OrganizationId, environment: Option<&EnvironmentId>, limit: u32) -> Vec<Rollout>;
    events(stream: &Stream, after: u64, limit: u32) -> Vec<Event>;
    retained_list(organization: &OrganizationId) -> Vec<Retained>;
    retained(organization: &OrganizationId, id: &RetainedId) -> Option<Retained>;
    audit(organization: &OrganizationId, after: u64, limit: u32) -> Vec<audit::Entry>;
    audit_latest(organization: &OrganizationId, limit: u32) -> Vec<audit::Entry>;
    idempotency(organization: &OrganizationId, key: &str, now: Timestamp) -> Option<Idempotency>;
    claim(kinds: &[&str], now: Timestamp, until: Timestamp) -> Option<Lease>;
    heartbeat(lease: &Lease, until: Timestamp) -> Lease;
    scheduled(job: &Job) -> Option<Timestamp>;
}
