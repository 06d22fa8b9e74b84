//! [`Store`] on SQLite and PostgreSQL.
//!
//! SQLite is the default: a file, nothing to operate, one server process.
//! PostgreSQL is for several replicas. Both pass the contract in `tests/`, and
//! both run the same SQL except where a row must be locked.
//!
//! What an acknowledged [`Store::commit`] promises: it is on disk (SQLite:
//! `synchronous=FULL`; PostgreSQL: `synchronous_commit=on`), so neither
//! `SIGKILL` nor a power loss takes it back. An error says that nothing of the
//! batch happened, except where a connection to PostgreSQL was lost during
//! `COMMIT`: then nobody knows, so read again before repeating.
//!
//! Beyond the contract's words:
//! - A connection's name is unique among those not disconnected; an
//!   application's and an environment's among the active ones. An external id
//!   is unique for ever and across organizations.
//! - The journal and the audit log refuse UPDATE and DELETE in the database
//!   itself.
//! - Entries of the audit log are chained at the end of a batch, in their
//!   order there.

mod application;
mod audit;
mod check;
mod commit;
mod connection;
mod environment;
mod error;
mod executor;
mod idempotency;
mod journal;
mod member;
mod migrations;
mod organization;
mod plan;
mod postgres;
mod resource;
mod retained;
mod rollout;
mod secret;
mod session;
mod signing_key;
mod sql;
mod sqlite;
mod statement;
mod token;
mod versioned;
mod work;

use landfall_model::{
    Clock,
    store::{Store, StoreError, StoreResult},
};
use sql::{Engine, SqlStore};
use sqlx::sqlite::SqliteConnectOptions;
use std::{path::Path, sync::Arc};

/// A database URL that names no engine of ours. Does not repeat the URL: it may
/// hold a password.
#[derive(Debug, thiserror::Error)]
#[error("a database URL begins with sqlite: or postgres:")]
struct UnknownEngine;

/// Opens the database at `url`, makes it if it is a SQLite file that does not
/// exist, and brings its schema up to date.
///
/// `sqlite:/var/lib/landfall/landfall.db`, `sqlite::memory:` (gone with the
/// store), `postgres://user:password@host/database`, or
/// `postgres:///database?host=/run/postgresql` for a socket. `clock` says which
/// idempotency keys have expired when one is written.
pub async fn open(url: &str, clock: Arc<dyn Clock>) -> StoreResult<Arc<dyn Store>> {
    let engine = Engine::open(url).await?;
    Ok(Arc::new(SqlStore::new(engine, clock)))
}

/// Opens the SQLite file at `path`, whatever characters the path has.
pub async fn open_sqlite(path: &Path, clock: Arc<dyn Clock>) -> StoreResult<Arc<dyn Store>> {
    let place = sqlite::Place::File(SqliteConnectOptions::new().filename(path));
    let engine = Engine::Sqlite(sqlite::open(place).await?);
    Ok(Arc::new(SqlStore::new(engine, clock)))
}

/// Has the database at `url` prepare every statement that this version may run,
/// and says how many there are: whether a schema somebody altered still fits.
pub async fn check_statements(url: &str) -> StoreResult<usize> {
    Engine::open(url).await?.check_statements().await
}

fn unknown_engine() -> StoreError {
    error::database("open the database")(UnknownEngine)
}
