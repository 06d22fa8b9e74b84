//! Databases for tests: SQLite in the data folder, or one of a PostgreSQL
//! cluster that can be copied.

use anyhow::{Context as _, bail};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::{
    io::Write as _,
    path::Path,
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use url::Url;

#[derive(Clone, Debug)]
pub enum Database {
    /// In the data folder.
    Sqlite,
    Postgres {
        url: String,
    },
}

/// The cluster to test with: `LANDFALL_TEST_POSTGRES_URL`, or a private one.
/// `None` when this machine has none, unless everything is required.
pub fn cluster() -> Option<String> {
    static URL: OnceLock<Option<String>> = OnceLock::new();
    URL.get_or_init(|| {
        if let Ok(url) = std::env::var("LANDFALL_TEST_POSTGRES_URL") {
            return Some(url);
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres-for-tests");
        let output = Command::new(script)
            .args(["start", "--owner", &std::process::id().to_string()])
            .output()
            .expect("the script is part of the repository");
        match output.status.code() {
            Some(0) => Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            Some(3) => {
                assert!(
                    std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
                    "PostgreSQL is required and not there"
                );
                // Not eprintln!: that is shown for failed tests only.
                let _ = writeln!(std::io::stderr(), "skipped: no PostgreSQL");
                None
            }
            _ => panic!("postgres-for-tests: {output:?}"),
        }
    })
    .clone()
}

impl Database {
    /// An empty database in the cluster.
    pub async fn create(cluster: &str) -> anyhow::Result<Self> {
        new_database(cluster, None).await
    }

    /// The same contents in another database. Nobody may be connected to this
    /// one.
    pub async fn copy(&self) -> anyhow::Result<Self> {
        match self {
            Self::Sqlite => Ok(Self::Sqlite),
            Self::Postgres { url } => {
                let name = Url::parse(url)?.path().trim_matches('/').to_owned();
                new_database(url, Some(&name)).await
            }
        }
    }

    pub async fn remove(&self) -> anyhow::Result<()> {
        let Self::Postgres { url } = self else {
            return Ok(());
        };
        let name = Url::parse(url)?.path().trim_matches('/').to_owned();
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        execute(&maintenance(url)?, &drop)
            .await
            .context("cannot drop a test database")
    }
}

async fn new_database(near: &str, template: Option<&str>) -> anyhow::Result<Database> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!(
        "landfall_sweep_{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let template = template.map_or(String::new(), |template| format!(" TEMPLATE {template}"));
    let create = format!("CREATE DATABASE {name}{template}");
    let near = maintenance(near)?;
    // A backend notices a moment later that its client was killed, and a
    // template that somebody is connected to cannot be copied.
    for _ in 0..100 {
        match execute(&near, &create).await {
            Ok(()) => {
                let mut url = Url::parse(&near)?;
                url.set_path(&name);
                return Ok(Database::Postgres { url: url.into() });
            }
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55006") => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error).context("cannot make a test database"),
        }
    }
    bail!("somebody stays connected to the template database")
}

/// Databases are made and dropped from one that is neither.
fn maintenance(url: &str) -> anyhow::Result<String> {
    let mut url = Url::parse(url)?;
    if url.path().contains("landfall_sweep") {
        url.set_path("postgres");
    }
    Ok(url.into())
}

async fn execute(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await?;
    connection.close().await
}
