//! SQLite: one writer and several readers on one file, in WAL mode.

use crate::{error::database, migrations};
use landfall_model::store::StoreResult;
use sqlx::{
    ConnectOptions, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{str::FromStr, time::Duration};

const READERS: u32 = 4;

/// Another process on the same file (a backup, a curious `sqlite3`) holds the
/// write lock for moments; longer is an error worth showing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two attempts to open a file that SQLite would not wait for.
const PAUSE: Duration = Duration::from_millis(20);

/// For a connection of ours: behind this many writes in line, say so.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    /// A single connection. SQLite has one writer at a time anyway, and waiting
    /// in line for this one is fair and free, while waiting for the file's lock
    /// is neither.
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
}

/// Where the database is.
pub(crate) enum Place {
    File(SqliteConnectOptions),
    /// Gone with its only connection.
    Memory(SqliteConnectOptions),
}

impl Place {
    pub(crate) fn parse(url: &str) -> StoreResult<Self> {
        let options =
            SqliteConnectOptions::from_str(url).map_err(database("read the database URL"))?;
        Ok(if url.contains(":memory:") || url.contains("mode=memory") {
            // A shared cache has locks that the busy timeout does not wait for.
            Self::Memory(options.shared_cache(false))
        } else {
            Self::File(options)
        })
    }
}

/// What every connection has, writer or reader.
fn with_defaults(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // On macOS an ordinary fsync leaves the data in the disk's cache.
        .pragma("fullfsync", "ON")
        .pragma("checkpoint_fullfsync", "ON")
        .disable_statement_logging()
}

/// Opens the database, making it if it does not exist, and brings its schema
/// up to date.
pub(crate) async fn open(place: Place) -> StoreResult<Sqlite> {
    match place {
        Place::Memory(options) => {
            let writer = writer(with_defaults(options)).await?;
            migrate(&writer).await?;
            Ok(Sqlite {
                readers: writer.clone(),
                writer,
            })
        }
        Place::File(options) => {
            create_private(&options)?;
            let options = with_defaults(options);
            let writer = writer(options.clone()).await?;
            migrate(&writer).await?;
            let readers = readers(options).await?;
            Ok(Sqlite { writer, readers })
        }
    }
}

async fn writer(options: SqliteConnectOptions) -> StoreResult<SqlitePool> {
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        // What was acknowledged must survive. In WAL mode NORMAL survives a
        // killed process, but after a power loss the last commits may be gone:
        // an intent that was on its way to the cloud would be forgotten, and
        // its resource made twice. FULL costs one fsync a commit.
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        // Never let go: an in-memory database is its connection, and closing
        // a file's last connection checkpoints it, which is slow.
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT);
    connected(pool, options).await
}

async fn readers(options: SqliteConnectOptions) -> StoreResult<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT);
    // A read that writes is a mistake that would wait for the writer.
    connected(pool, options.pragma("query_only", "ON")).await
}

/// Two processes that open a new file together both want it in WAL mode. That
/// step takes the file for itself, and SQLite refuses it at once, whatever the
/// busy timeout says, where waiting for each other could be for ever.
async fn connected(
    pool: SqlitePoolOptions,
    options: SqliteConnectOptions,
) -> StoreResult<SqlitePool> {
    let mut refused = None;
    let attempts = async {
        loop {
            match pool.clone().connect_with(options.clone()).await {
                Err(error) if is_locked(&error) => refused = Some(error),
                connected => return connected,
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let connected = tokio::time::timeout(BUSY_TIMEOUT, attempts).await;
    connected
        .unwrap_or_else(|_| Err(refused.unwrap_or(sqlx::Error::PoolTimedOut)))
        .map_err(database("open the database"))
}

/// `SQLITE_BUSY`, whatever the extended code adds to it.
fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == 5)
}

/// Inside one transaction that holds the write lock: two processes that open a
/// new file together do not both make the tables.
async fn migrate(writer: &SqlitePool) -> StoreResult<()> {
    let operation = "migrate the database";
    let mut transaction = writer
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(database(operation))?;
    migrations::run(&migrations::sqlite(), &mut *transaction)
        .await
        .map_err(database(operation))?;
    transaction.commit().await.map_err(database(operation))
}

/// Makes the file readable by its owner alone; SQLite gives its journal files
/// the same permissions. It holds every customer's plans and the hashes of
/// their tokens.
fn create_private(options: &SqliteConnectOptions) -> StoreResult<()> {
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    match file.open(options.get_filename()) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(database("create the database file")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pragma(pool: &SqlitePool, name: &'static str) -> String {
        let sql = sqlx::AssertSqlSafe(format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"));
        sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
    }

    /// A kill cannot tell FULL from less: only the power can, and this.
    #[tokio::test]
    async fn commits_are_flushed_and_readers_only_read() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(folder.path().join("store.db"));
        let sqlite = open(Place::File(options)).await.unwrap();
        assert_eq!(pragma(&sqlite.writer, "synchronous").await, "2");
        assert_eq!(pragma(&sqlite.writer, "journal_mode").await, "wal");
        assert_eq!(pragma(&sqlite.readers, "query_only").await, "1");
        for pool in [&sqlite.writer, &sqlite.readers] {
            assert_eq!(pragma(pool, "foreign_keys").await, "1");
        }
    }

    /// Whatever the history, an answer costs what it returns and an append what
    /// it adds: no statement walks through a whole table.
    #[tokio::test]
    async fn every_statement_finds_its_rows_by_an_index() {
        use sqlx::Row;
        let sqlite = open(Place::parse("sqlite::memory:").unwrap())
            .await
            .unwrap();
        let mut explained = 0;
        for statement in crate::statement::all() {
            // The operator's questions, over all there is of what is few or in
            // the order of an index.
            let of_all = [
                "list organizations",
                "list signing keys",
                "count secrets by key",
            ];
            if of_all.contains(&statement.operation) {
                continue;
            }
            let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.sqlite));
            for row in sqlx::query(sql).fetch_all(&sqlite.writer).await.unwrap() {
                let step: String = row.get("detail");
                let walks = step.starts_with("SCAN") && step != "SCAN CONSTANT ROW";
                assert!(!walks, "{}: {step}", statement.operation);
                explained += 1;
            }
        }
        assert!(explained > 30, "the plans were not understood");
    }
}
