//! The port's methods, each one statement on a reader or one transaction on a
//! writer.

use crate::{
    application, audit, check, commit, connection, environment,
    error::{corrupt, database},
    executor::{Executor, args},
    idempotency, journal, member, organization, plan, postgres, resource, retained, rollout,
    secret, session, signing_key,
    sqlite::{self, Place, Sqlite},
    statement::{self, Statement},
    token, unknown_engine, work,
};
use async_trait::async_trait;
use landfall_model::{
    Clock, Timestamp,
    application::Application,
    audit::Entry,
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
use sqlx::{PgPool, Postgres, pool::PoolConnection};
use std::sync::Arc;

const VERSION: Statement = Statement::each(
    "read the database's version",
    "SELECT sqlite_version()",
    "SELECT split_part(current_setting('server_version'), ' ', 1)",
);

pub(crate) enum Engine {
    Sqlite(Sqlite),
    Postgres(PgPool),
}

/// A connection on loan from a pool.
enum Loan {
    Sqlite(PoolConnection<sqlx::Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Loan {
    fn executor(&mut self) -> Executor<'_> {
        match self {
            Self::Sqlite(connection) => Executor::Sqlite(connection),
            Self::Postgres(connection) => Executor::Postgres(connection),
        }
    }
}

impl Engine {
    pub(crate) async fn open(url: &str) -> StoreResult<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite(sqlite::open(Place::parse(url)?).await?)),
            Some("postgres" | "postgresql") => Ok(Self::Postgres(
                postgres::open(postgres::options(url)?).await?,
            )),
            _ => Err(unknown_engine()),
        }
    }

    async fn reader(&self) -> StoreResult<Loan> {
        let operation = "wait for a database connection";
        match self {
            Self::Sqlite(sqlite) => sqlite.readers.acquire().await.map(Loan::Sqlite),
            Self::Postgres(pool) => pool.acquire().await.map(Loan::Postgres),
        }
        .map_err(database(operation))
    }

    /// For a single statement that writes; several go through [`commit`].
    async fn writer(&self) -> StoreResult<Loan> {
        match self {
            Self::Sqlite(sqlite) => sqlite
                .writer
                .acquire()
                .await
                .map(Loan::Sqlite)
                .map_err(database("wait for the database's writer")),
            Self::Postgres(_) => self.reader().await,
        }
    }

    pub(crate) async fn check_statements(&self) -> StoreResult<usize> {
        let mut loan = self.writer().await?;
        let mut executor = loan.executor();
        let mut count = 0;
        for statement in statement::all().chain([&VERSION]) {
            executor.prepare(statement).await?;
            count += 1;
        }
        Ok(count)
    }
}

pub(crate) struct SqlStore {
    engine: Engine,
    clock: Arc<dyn Clock>,
}

impl SqlStore {
    pub(crate) fn new(engine: Engine, clock: Arc<dyn Clock>) -> Self {
        Self { engine, clock }
    }
}

/// Runs one of the nouns' functions on a reader.
macro_rules! read {
    ($self:ident, $function:path $(, $arg:expr)*) => {
        $function(&mut $self.engine.reader().await?.executor() $(, $arg)*).await
    };
}

#[async_trait]
impl Store for SqlStore {
    async fn commit(&self, writes: Vec<Write>) -> StoreResult<()> {
        commit::commit(&self.engine, &writes, self.clock.now()).await
    }

    async fn describe(&self) -> StoreResult<String> {
        let name = match self.engine {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgresql",
        };
        let row = self
            .engine
            .reader()
            .await?
            .executor()
            .row(&VERSION, args![])
            .await?
            .ok_or_else(|| corrupt("version")("the database has no version"))?;
        Ok(format!("{name} {}", row.text("version", 0)?))
    }

    async fn organizations(&self) -> StoreResult<Vec<Organization>> {
        read!(self, organization::list)
    }

    async fn organization(&self, id: &OrganizationId) -> StoreResult<Option<Organization>> {
        read!(self, organization::get, id)
    }

    async fn members(&self, organization: &OrganizationId) -> StoreResult<Vec<Member>> {
        read!(self, member::list, organization)
    }

    async fn member(
        &self,
        organization: &OrganizationId,
        id: &MemberId,
    ) -> StoreResult<Option<Member>> {
        read!(self, member::get, organization, id)
    }

    async fn tokens(&self, organization: &OrganizationId) -> StoreResult<Vec<Token>> {
        read!(self, token::list, organization)
    }

    async fn token(
        &self,
        organization: &OrganizationId,
        id: &TokenId,
    ) -> StoreResult<Option<Token>> {
        read!(self, token::get, organization, id)
    }

    async fn token_by_secret(&self, secret_hash: &Digest) -> StoreResult<Option<Token>> {
        read!(self, token::by_secret, secret_hash)
    }

    async fn session_by_secret(&self, secret_hash: &Digest) -> StoreResult<Option<Session>> {
        read!(self, session::by_secret, secret_hash)
    }

    async fn secrets(&self, organization: &OrganizationId) -> StoreResult<Vec<Secret>> {
        read!(self, secret::list, organization)
    }

    async fn secret(
        &self,
        organization: &OrganizationId,
        id: &SecretId,
    ) -> StoreResult<Option<Secret>> {
        read!(self, secret::get, organization, id)
    }

    async fn secrets_under(
        &self,
        key_version: u32,
        after: Option<&SecretId>,
        limit: u32,
    ) -> StoreResult<Vec<Secret>> {
        read!(self, secret::under, key_version, after, limit)
    }

    async fn secret_counts(&self) -> StoreResult<Vec<(u32, u64)>> {
        read!(self, secret::counts)
    }

    async fn signing_keys(&self) -> StoreResult<Vec<SigningKey>> {
        read!(self, signing_key::list)
    }

    async fn connections(&self, organization: &OrganizationId) -> StoreResult<Vec<Connection>> {
        read!(self, connection::list, organization)
    }

    async fn connection(
        &self,
        organization: &OrganizationId,
        id: &ConnectionId,
    ) -> StoreResult<Option<Connection>> {
        read!(self, connection::get, organization, id)
    }

    async fn check_runs(
        &self,
        organization: &OrganizationId,
        connection: &ConnectionId,
        limit: u32,
    ) -> StoreResult<Vec<CheckRun>> {
        read!(self, check::list, organization, connection, limit)
    }

    async fn applications(&self, organization: &OrganizationId) -> StoreResult<Vec<Application>> {
        read!(self, application::list, organization)
    }

    async fn application(
        &self,
        organization: &OrganizationId,
        id: &ApplicationId,
    ) -> StoreResult<Option<Application>> {
        read!(self, application::get, organization, id)
    }

    async fn environments(&self, organization: &OrganizationId) -> StoreResult<Vec<Environment>> {
        read!(self, environment::list, organization)
    }

    async fn environment(
        &self,
        organization: &OrganizationId,
        id: &EnvironmentId,
    ) -> StoreResult<Option<Environment>> {
        read!(self, environment::get, organization, id)
    }

    async fn resources(&self, environment: &EnvironmentId) -> StoreResult<Vec<Resource>> {
        read!(self, resource::list, environment)
    }

    async fn plan(&self, organization: &OrganizationId, id: &PlanId) -> StoreResult<Option<Plan>> {
        read!(self, plan::get, organization, id)
    }

    async fn plans(
        &self,
        organization: &OrganizationId,
        environment: &EnvironmentId,
        limit: u32,
    ) -> StoreResult<Vec<Plan>> {
        read!(self, plan::list, organization, environment, limit)
    }

    async fn rollout(
        &self,
        organization: &OrganizationId,
        id: &RolloutId,
    ) -> StoreResult<Option<Rollout>> {
        read!(self, rollout::get, organization, id)
    }

    async fn rollouts(
        &self,
        organization: &OrganizationId,
        environment: Option<&EnvironmentId>,
        limit: u32,
    ) -> StoreResult<Vec<Rollout>> {
        read!(self, rollout::list, organization, environment, limit)
    }

    async fn events(&self, stream: &Stream, after: u64, limit: u32) -> StoreResult<Vec<Event>> {
        read!(self, journal::list, stream, after, limit)
    }

    async fn retained_list(&self, organization: &OrganizationId) -> StoreResult<Vec<Retained>> {
        read!(self, retained::list, organization)
    }

    async fn retained(
        &self,
        organization: &OrganizationId,
        id: &RetainedId,
    ) -> StoreResult<Option<Retained>> {
        read!(self, retained::get, organization, id)
    }

    async fn audit(
        &self,
        organization: &OrganizationId,
        after: u64,
        limit: u32,
    ) -> StoreResult<Vec<Entry>> {
        read!(self, audit::list, organization, after, limit)
    }

    async fn audit_latest(
        &self,
        organization: &OrganizationId,
        limit: u32,
    ) -> StoreResult<Vec<Entry>> {
        read!(self, audit::latest, organization, limit)
    }

    async fn idempotency(
        &self,
        organization: &OrganizationId,
        key: &str,
        now: Timestamp,
    ) -> StoreResult<Option<Idempotency>> {
        read!(self, idempotency::get, organization, key, now)
    }

    async fn claim(
        &self,
        kinds: &[&str],
        now: Timestamp,
        until: Timestamp,
    ) -> StoreResult<Option<Lease>> {
        let mut loan = self.engine.writer().await?;
        work::claim(&mut loan.executor(), kinds, now, until).await
    }

    async fn heartbeat(&self, lease: &Lease, until: Timestamp) -> StoreResult<Lease> {
        let mut loan = self.engine.writer().await?;
        work::heartbeat(&mut loan.executor(), lease, until).await
    }

    async fn scheduled(&self, job: &Job) -> StoreResult<Option<Timestamp>> {
        read!(self, work::scheduled, job)
    }
}
