//! PostgreSQL: for several replicas on one database.

use crate::{error::database, migrations};
use landfall_model::store::StoreResult;
use sqlx::{
    ConnectOptions, Connection, PgPool, Row,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{str::FromStr, time::Duration};

const CONNECTIONS: u32 = 16;

/// Of every pooled connection. An acknowledged commit is on disk, even where
/// the cluster's default is to answer earlier; nothing waits for ever for a
/// lock, a slow statement or a replica that died inside a transaction.
const SETTINGS: &str = "
    SET synchronous_commit = on;
    SET lock_timeout = '10s';
    SET statement_timeout = '30s';
    SET idle_in_transaction_session_timeout = '30s';
";

pub(crate) fn options(url: &str) -> StoreResult<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)
        .map_err(database("read the database URL"))?
        .disable_statement_logging();
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("landfall"),
    })
}

/// Connects and brings the schema up to date.
pub(crate) async fn open(options: PgConnectOptions) -> StoreResult<PgPool> {
    migrate(&options).await?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(30))
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(SETTINGS).execute(connection).await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .map_err(database("connect to the database"))?;
    warn_if_unsafe(&pool).await?;
    Ok(pool)
}

/// On a connection of its own, without the pool's timeouts: a replica waits
/// for the one that migrates as long as that takes. Closing the connection
/// also gives back the lock when a migration failed.
async fn migrate(options: &PgConnectOptions) -> StoreResult<()> {
    let mut connection = options
        .connect()
        .await
        .map_err(database("connect to the database"))?;
    let migrated = migrations::run(&migrations::postgres(), &mut connection)
        .await
        .map_err(database("migrate the database"));
    let closed = connection
        .close()
        .await
        .map_err(database("migrate the database"));
    migrated.and(closed)
}

/// A cluster that does not flush loses acknowledged commits with the power, and
/// only its operator can change that.
async fn warn_if_unsafe(pool: &PgPool) -> StoreResult<()> {
    let row = sqlx::query("SELECT current_setting('fsync')")
        .fetch_one(pool)
        .await
        .map_err(database("read the database's settings"))?;
    let fsync: String = row
        .try_get(0)
        .map_err(database("read the database's settings"))?;
    if fsync != "on" {
        tracing::warn!(
            fsync,
            "PostgreSQL does not flush to disk: a power loss loses commits"
        );
    }
    Ok(())
}
