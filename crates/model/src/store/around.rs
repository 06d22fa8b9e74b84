//! A store around another one.

use super::{Idempotency, Store, StoreResult, Write};
use crate::{
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
    token::Token,
    work::{Job, Lease},
};
use async_trait::async_trait;

/// Does something at every commit of the store inside, and leaves everything
/// else to it. What implements this is a [`Store`].
#[async_trait]
pub trait Around: Send + Sync + 'static {
    fn inner(&self) -> &dyn Store;

    /// Stands for [`Store::commit`], and calls the inner one's.
    async fn commit_around(&self, writes: Vec<Write>) -> StoreResult<()>;
}

macro_rules! forward {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl<A: Around> Store for A {
            async fn commit(&self, writes: Vec<Write>) -> StoreResult<()> {
                self.commit_around(writes).await
            }

            $(async fn $name(&self, $($argument: $type),*) -> StoreResult<$answer> {
                self.inner().$name($($argument),*).await
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
