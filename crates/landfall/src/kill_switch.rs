//! Ends this process without warning at a chosen instant: how the kill sweep
//! reaches every journal boundary. Only in debug builds, and only when
//! `LANDFALL_KILL_AT` is set.

use anyhow::{Context as _, bail};
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
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Where the knife falls, seen from the n-th commit that appends to a journal.
#[derive(Clone, Copy)]
enum Side {
    /// The event was decided but not written.
    Before,
    /// It was written, and nobody knows yet.
    After,
}

/// `store`, or one that kills this process, as `LANDFALL_KILL_AT` says:
/// `before:3` or `after:3`.
pub fn armed(store: Arc<dyn Store>) -> anyhow::Result<Arc<dyn Store>> {
    let Ok(text) = std::env::var("LANDFALL_KILL_AT") else {
        return Ok(store);
    };
    let (side, count) = text
        .split_once(':')
        .context("LANDFALL_KILL_AT is before:N or after:N")?;
    let side = match side {
        "before" => Side::Before,
        "after" => Side::After,
        _ => bail!("LANDFALL_KILL_AT is before:N or after:N"),
    };
    Ok(Arc::new(Armed {
        store,
        side,
        at: count.parse().context("LANDFALL_KILL_AT needs a number")?,
        commits: AtomicU64::new(0),
    }))
}

struct Armed {
    store: Arc<dyn Store>,
    side: Side,
    at: u64,
    commits: AtomicU64,
}

/// SIGKILL, as the kernel or an operator would send it: no handler, no
/// destructor, no flush.
fn die() -> ! {
    let pid = std::process::id().to_string();
    let _ = std::process::Command::new("kill")
        .args(["-KILL", &pid])
        .status();
    std::process::abort()
}

macro_rules! pass_on {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
        #[async_trait]
        impl Store for Armed {
            async fn commit(&self, writes: Vec<Write>) -> StoreResult<()> {
                if !writes.iter().any(|write| matches!(write, Write::Append { .. })) {
                    return self.store.commit(writes).await;
                }
                let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
                if number > self.at {
                    // The process is dying at an earlier one: nothing that
                    // comes later may be written in its last milliseconds.
                    return std::future::pending().await;
                }
                let here = number == self.at;
                if here && matches!(self.side, Side::Before) {
                    die();
                }
                let result = self.store.commit(writes).await;
                if here {
                    die();
                }
                result
            }

            $(async fn $name(&self $(, $argument: $kind)*) -> StoreResult<$result> {
                self.store.$name($($argument),*).await
            })*
        }
    };
}

pass_on! {
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
