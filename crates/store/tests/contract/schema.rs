//! Opening, migrating, and whether the SQL fits the schema.

use crate::{
    fixture::{World, only},
    harness::{Subject, clock, contract, fresh_schema},
};
use landfall_model::store::StoreError;

contract!(
    every_statement_can_be_prepared,
    opening_again_changes_nothing,
    a_database_of_a_newer_version_is_refused,
);

async fn every_statement_can_be_prepared(subject: &Subject) {
    let count = landfall_store::check_statements(&subject.url)
        .await
        .unwrap();
    assert!(count >= 55, "only {count} statements");

    // And one that does not fit is found.
    subject
        .raw("ALTER TABLE work RENAME COLUMN again_at TO once_more_at")
        .await
        .unwrap();
    let error = landfall_store::check_statements(&subject.url)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Database {
                operation: "enqueue work",
                ..
            }
        ),
        "{error:?}"
    );
}

async fn opening_again_changes_nothing(subject: &Subject) {
    let world = World::stored(&*subject.store).await;
    for _ in 0..3 {
        let store = subject.reopen().await;
        assert_eq!(
            store.organizations().await.unwrap(),
            only(&world.organization)
        );
    }
}

async fn a_database_of_a_newer_version_is_refused(subject: &Subject) {
    subject
        .raw(
            "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
             SELECT 9000, 'from the future', installed_on, success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await
        .unwrap();
    let error = landfall_store::open(&subject.url, subject.clock.clone())
        .await
        .err()
        .unwrap();
    let StoreError::Database { operation, source } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*operation, "migrate the database");
    assert!(source.to_string().contains("9000"), "{source}");
}

async fn open_together(url: &str) {
    let handles = (0..6).map(|_| {
        let url = url.to_owned();
        tokio::spawn(async move { landfall_store::open(&url, clock()).await.map(drop) })
    });
    for handle in handles.collect::<Vec<_>>() {
        handle.await.unwrap().unwrap();
    }
    landfall_store::check_statements(url).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_start_together_migrate_once_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    open_together(&format!("sqlite:{}/new.db", folder.path().display())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_start_together_migrate_once_on_postgres() {
    if let Some(url) = fresh_schema().await {
        open_together(&url).await;
    }
}

#[tokio::test]
async fn a_memory_database_is_one_of_its_own() {
    let first = landfall_store::open("sqlite::memory:", clock())
        .await
        .unwrap();
    let second = landfall_store::open("sqlite::memory:", clock())
        .await
        .unwrap();
    let world = World::stored(&*first).await;
    assert_eq!(first.organizations().await.unwrap(), [world.organization]);
    assert_eq!(second.organizations().await.unwrap(), []);
}

#[tokio::test]
async fn a_path_is_taken_literally() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("what? 100%25 #1 :memory:.db");
    let world = {
        let store = landfall_store::open_sqlite(&path, clock()).await.unwrap();
        World::stored(&*store).await
    };
    assert!(path.exists());
    let store = landfall_store::open_sqlite(&path, clock()).await.unwrap();
    assert_eq!(store.organizations().await.unwrap(), [world.organization]);
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = landfall_store::open_sqlite(&path, clock()).await.unwrap();
    World::stored(&*store).await;
    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file:?}");
        files += 1;
    }
    assert!(files >= 2, "the database and its write-ahead log");
}

#[tokio::test]
async fn a_bad_url_is_refused_without_repeating_it() {
    for url in [
        "mysql://root:hunter2@db/x",
        "",
        "landfall.db",
        "postgres//hunter2",
    ] {
        let error = landfall_store::open(url, clock()).await.err().unwrap();
        let StoreError::Database { source, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(
            source.to_string(),
            "a database URL begins with sqlite: or postgres:"
        );
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    let missing = landfall_store::open("sqlite:/nonexistent/folder/x.db", clock()).await;
    assert!(matches!(
        missing.err(),
        Some(StoreError::Database {
            operation: "create the database file",
            ..
        })
    ));
}
