//! What is remembered. One contract, two implementations (SQLite, PostgreSQL).
//!
//! Reads are one method per question. Writes go through [`Store::commit`]: a
//! batch is one transaction, so a use case shows in one place what happens
//! together (the noun, its audit entry, the work that follows).
//!
//! Reads that take an organization answer `None` or nothing for what belongs
//! to another one.

mod around;

pub use around::Around;

use crate::graph::Address;
use crate::{
    Timestamp,
    application::Application,
    audit,
    check::CheckRun,
    connection::Connection,
    digest::Digest,
    environment::Environment,
    id::*,
    journal::{Event, EventKind, Stream},
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
    work::{Job, Lease, NewWork},
};
use async_trait::async_trait;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The record was changed since it was read, or exists already.
    #[error("the {noun} {id} was changed by somebody else")]
    Conflict { noun: &'static str, id: String },
    /// A unique name is taken.
    #[error("the {noun} name '{name}' is taken")]
    Taken { noun: &'static str, name: String },
    /// The lease is no longer ours: stop at once, somebody else goes on.
    #[error("the lease of {work_id} was taken over")]
    Fenced { work_id: WorkId },
    #[error("{operation} failed in the database")]
    Database {
        operation: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stored record cannot be read by this version.
    #[error("a stored {noun} cannot be read")]
    Corrupt {
        noun: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// One change inside a transaction.
///
/// `Put…` of a noun with a `version` inserts it when `version` is 1, and
/// otherwise updates the row that has `version - 1`; anything else is a
/// [`StoreError::Conflict`] and nothing of the batch happens.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a batch holds a handful of them, for the length of one transaction"
)]
pub enum Write {
    InsertOrganization(Organization),
    PutMember(Member),
    /// With the SHA-256 of the secret.
    InsertToken {
        token: Token,
        secret_hash: Digest,
    },
    RevokeToken {
        organization_id: OrganizationId,
        id: TokenId,
        at: Timestamp,
    },
    InsertSession {
        session: Session,
        secret_hash: Digest,
    },
    DeleteSession {
        id: SessionId,
    },
    PutSecret(Secret),
    /// Gone for good. Nothing happens when it is not there.
    DeleteSecret {
        organization_id: OrganizationId,
        id: SecretId,
    },
    /// At most one is published and one active: a second one is a
    /// [`StoreError::Conflict`].
    PutSigningKey(SigningKey),
    PutConnection(Connection),
    InsertCheckRun(CheckRun),
    PutApplication(Application),
    PutEnvironment(Environment),
    PutPlan(Plan),
    PutRollout(Rollout),
    PutRetained(Retained),
    /// Inserts or replaces by environment and address.
    PutResource(Resource),
    DeleteResource {
        environment_id: EnvironmentId,
        address: Address,
    },
    /// Appends at the end of the stream, numbering from the last.
    Append {
        stream: Stream,
        at: Timestamp,
        address: Option<Address>,
        kind: EventKind,
    },
    Audit(audit::NewEntry),
    Enqueue(NewWork),
    /// The rest of the batch happens only while this lease is the newest and
    /// has not run out at `now`; else [`StoreError::Fenced`]. Put first.
    Guard {
        lease: Lease,
        now: Timestamp,
    },
    /// Done: the row goes away.
    CompleteWork {
        lease: Lease,
    },
    /// Run again at `run_at`; the lease ends.
    PostponeWork {
        lease: Lease,
        run_at: Timestamp,
    },
    /// Remembers an answer for an idempotency key.
    InsertIdempotency(Idempotency),
}

/// An answered request, to answer its repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    pub organization_id: OrganizationId,
    pub key: String,
    /// Digest of method, path, member and body: the same key with another
    /// request is refused.
    pub request: Digest,
    pub status: u16,
    pub body: String,
    pub expires_at: Timestamp,
}

pub type StoreResult<T> = Result<T, StoreError>;

#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// All of `writes` or none.
    async fn commit(&self, writes: Vec<Write>) -> StoreResult<()>;

    /// `sqlite` or `postgresql`, with its version: for `doctor`.
    async fn describe(&self) -> StoreResult<String>;

    // Organizations, members, tokens, sessions
    async fn organizations(&self) -> StoreResult<Vec<Organization>>;
    async fn organization(&self, id: &OrganizationId) -> StoreResult<Option<Organization>>;
    async fn members(&self, organization: &OrganizationId) -> StoreResult<Vec<Member>>;
    async fn member(
        &self,
        organization: &OrganizationId,
        id: &MemberId,
    ) -> StoreResult<Option<Member>>;
    async fn tokens(&self, organization: &OrganizationId) -> StoreResult<Vec<Token>>;
    async fn token(
        &self,
        organization: &OrganizationId,
        id: &TokenId,
    ) -> StoreResult<Option<Token>>;
    /// Also finds expired and revoked ones: the caller says why it refuses.
    async fn token_by_secret(&self, secret_hash: &Digest) -> StoreResult<Option<Token>>;
    async fn session_by_secret(&self, secret_hash: &Digest) -> StoreResult<Option<Session>>;

    // Sealed secrets and signing keys
    async fn secrets(&self, organization: &OrganizationId) -> StoreResult<Vec<Secret>>;
    async fn secret(
        &self,
        organization: &OrganizationId,
        id: &SecretId,
    ) -> StoreResult<Option<Secret>>;
    /// Those of all organizations whose key version is less than `key_version`
    /// and whose id is greater than `after`, in the order of their ids.
    async fn secrets_under(
        &self,
        key_version: u32,
        after: Option<&SecretId>,
        limit: u32,
    ) -> StoreResult<Vec<Secret>>;
    /// How many secrets of all organizations each key version seals.
    async fn secret_counts(&self) -> StoreResult<Vec<(u32, u64)>>;
    /// Oldest first; retired ones too.
    async fn signing_keys(&self) -> StoreResult<Vec<SigningKey>>;

    // Connections and their checks
    async fn connections(&self, organization: &OrganizationId) -> StoreResult<Vec<Connection>>;
    async fn connection(
        &self,
        organization: &OrganizationId,
        id: &ConnectionId,
    ) -> StoreResult<Option<Connection>>;
    /// Newest first.
    async fn check_runs(
        &self,
        organization: &OrganizationId,
        connection: &ConnectionId,
        limit: u32,
    ) -> StoreResult<Vec<CheckRun>>;

    // Applications and environments
    /// Deleted ones too: the caller filters.
    async fn applications(&self, organization: &OrganizationId) -> StoreResult<Vec<Application>>;
    async fn application(
        &self,
        organization: &OrganizationId,
        id: &ApplicationId,
    ) -> StoreResult<Option<Application>>;
    async fn environments(&self, organization: &OrganizationId) -> StoreResult<Vec<Environment>>;
    async fn environment(
        &self,
        organization: &OrganizationId,
        id: &EnvironmentId,
    ) -> StoreResult<Option<Environment>>;
    async fn resources(&self, environment: &EnvironmentId) -> StoreResult<Vec<Resource>>;

    // Plans, rollouts, journal
    async fn plan(&self, organization: &OrganizationId, id: &PlanId) -> StoreResult<Option<Plan>>;
    /// Newest first.
    async fn plans(
        &self,
        organization: &OrganizationId,
        environment: &EnvironmentId,
        limit: u32,
    ) -> StoreResult<Vec<Plan>>;
    async fn rollout(
        &self,
        organization: &OrganizationId,
        id: &RolloutId,
    ) -> StoreResult<Option<Rollout>>;
    /// Newest first; of one environment, or of all.
    async fn rollouts(
        &self,
        organization: &OrganizationId,
        environment: Option<&EnvironmentId>,
        limit: u32,
    ) -> StoreResult<Vec<Rollout>>;
    /// Events with `seq > after`, in order.
    async fn events(&self, stream: &Stream, after: u64, limit: u32) -> StoreResult<Vec<Event>>;

    // Retained resources
    /// Newest first; closed ones (destroyed, forgotten) too.
    async fn retained_list(&self, organization: &OrganizationId) -> StoreResult<Vec<Retained>>;
    async fn retained(
        &self,
        organization: &OrganizationId,
        id: &RetainedId,
    ) -> StoreResult<Option<Retained>>;

    // Audit
    /// Entries with `seq > after`, in order.
    async fn audit(
        &self,
        organization: &OrganizationId,
        after: u64,
        limit: u32,
    ) -> StoreResult<Vec<audit::Entry>>;
    /// Newest first.
    async fn audit_latest(
        &self,
        organization: &OrganizationId,
        limit: u32,
    ) -> StoreResult<Vec<audit::Entry>>;

    // Idempotency
    async fn idempotency(
        &self,
        organization: &OrganizationId,
        key: &str,
        now: Timestamp,
    ) -> StoreResult<Option<Idempotency>>;

    // Work
    /// Claims one due row of one of `kinds` whose lease is free or has run out,
    /// oldest `run_at` first; increments its epoch.
    async fn claim(
        &self,
        kinds: &[&str],
        now: Timestamp,
        until: Timestamp,
    ) -> StoreResult<Option<Lease>>;
    /// Prolongs a lease, or says that it was taken over.
    async fn heartbeat(&self, lease: &Lease, until: Timestamp) -> StoreResult<Lease>;
    /// When a queued job will run: for showing "next check in …".
    async fn scheduled(&self, job: &Job) -> StoreResult<Option<Timestamp>>;
}
