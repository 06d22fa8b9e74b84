//! A fresh store on either engine for each test.

use landfall_model::{Clock, Entropy, Timestamp, store::Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::{
    io::Write as _,
    path::Path,
    process::Command,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

/// Runs each function as a test on both engines.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let subject = crate::harness::Subject::sqlite().await;
                super::$name(&subject).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let Some(subject) = crate::harness::Subject::postgres().await else {
                    return;
                };
                super::$name(&subject).await;
                subject.drop_schema().await;
            })*
        }
    };
}
pub(crate) use contract;

/// A clock that stands still until a test moves it.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, millis: i64) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(millis, Ordering::SeqCst) + millis)
    }
}

#[async_trait::async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(i64::try_from(duration.as_millis()).unwrap());
    }
}

/// Bytes that never repeat within a test run, not even in a child process, and
/// that grow: ids made with them sort by their making.
pub(crate) struct Counter;

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let next = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.fill(0);
        let start = bytes.len() - next.len();
        bytes[start..].copy_from_slice(&next);
        let process = std::process::id().to_be_bytes();
        bytes[start + 1..start + 3].copy_from_slice(&process[2..]);
    }
}

pub(crate) struct Subject {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) url: String,
    _folder: Option<TempDir>,
}

pub(crate) fn clock() -> Arc<TestClock> {
    Arc::new(TestClock(AtomicI64::new(1_800_000_000_000)))
}

impl Subject {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("store.db").display());
        Self {
            _folder: Some(folder),
            ..Self::open(url).await
        }
    }

    /// In a schema of its own.
    pub(crate) async fn postgres() -> Option<Self> {
        let url = fresh_schema().await?;
        Some(Self::open(url).await)
    }

    async fn open(url: String) -> Self {
        let clock = clock();
        let store = landfall_store::open(&url, clock.clone()).await.unwrap();
        Self {
            store,
            clock,
            url,
            _folder: None,
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// The same database opened once more, as by a second process.
    pub(crate) async fn reopen(&self) -> Arc<dyn Store> {
        landfall_store::open(&self.url, self.clock.clone())
            .await
            .unwrap()
    }

    /// Runs SQL behind the store's back.
    pub(crate) async fn raw(&self, sql: &str) -> Result<u64, sqlx::Error> {
        raw(&self.url, sql).await
    }

    pub(crate) async fn drop_schema(self) {
        drop(self.store);
        let schema = self.url.rsplit('=').next().unwrap();
        raw(&self.url, &format!("DROP SCHEMA {schema} CASCADE"))
            .await
            .unwrap();
    }
}

pub(crate) async fn raw(url: &str, sql: &str) -> Result<u64, sqlx::Error> {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    if url.starts_with("postgres") {
        let mut connection = PgConnection::connect(url).await?;
        Ok(sql.execute(&mut connection).await?.rows_affected())
    } else {
        let mut connection = SqliteConnection::connect(url).await?;
        Ok(sql.execute(&mut connection).await?.rows_affected())
    }
}

/// A URL that ends in `search_path=<an empty schema>`.
pub(crate) async fn fresh_schema() -> Option<String> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let url = postgres_url()?;
    let schema = format!(
        "landfall_test_{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    raw(&url, &sql).await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{separator}options=-c%20search_path={schema}"))
}

fn postgres_url() -> Option<String> {
    static URL: OnceLock<Option<String>> = OnceLock::new();
    URL.get_or_init(|| {
        if let Ok(url) = std::env::var("LANDFALL_TEST_POSTGRES_URL") {
            return Some(url);
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres-for-tests");
        let output = Command::new(script)
            .args(["start", "--owner", &std::process::id().to_string()])
            .output();
        match output {
            Ok(output) if output.status.success() => {
                Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
            }
            // 3: none on this machine. Anything else is a broken cluster, and
            // skipping would hide it.
            Ok(output) if output.status.code() == Some(3) => {
                // Not eprintln!: that is shown for failed tests only.
                let _ = writeln!(std::io::stderr(), "skipped: no PostgreSQL");
                None
            }
            other => panic!("postgres-for-tests: {other:?}"),
        }
    })
    .clone()
}
