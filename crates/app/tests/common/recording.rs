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
    store::{Idempotency, Store, StoreError, StoreResult, Write},
    token::Token,
    work::{Job, Lease},
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

/// A store that writes down what was committed together, and breaks on demand.
pub struct Recording {
    inner: Arc<dyn Store>,
    batches: Mutex<Vec<Vec<Write>>>,
    broken: AtomicBool,
}

impl Recording {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            batches: Mutex::default(),
            broken: AtomicBool::new(false),
        }
    }

    /// What was committed since the last call.
    pub fn take(&self) -> Vec<Vec<Write>> {
        std::mem::take(&mut self.batches.lock().unwrap())
    }

    pub fn breaks(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

macro_rules! forward {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for Recording {
            async fn commit(&self, writes: Vec<Write>) -> StoreResult<()> {
                if self.broken.load(Ordering::SeqCst) {
                    return Err(StoreError::Database {
                        operation: "commit",
                        source: "the disk is full".into(),
                    });
                }
                self.inner.commit(writes.clone()).await?;
                self.batches.lock().unwrap().push(writes);
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
