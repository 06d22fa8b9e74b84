//! Row locks on PostgreSQL, looked at while another transaction stands still.
//! SQLite has no such moments: it has one writer.

use crate::{
    fixture::{World, at, fresh},
    harness::Subject,
};
use landfall_model::{
    id::ConnectionId,
    store::{Store, StoreError, Write},
    work::{Job, Lease},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{sync::Arc, time::Duration};

/// A transaction behind the store's back that has run `sql` and stays open.
async fn standing_still(subject: &Subject, sql: &str) -> PgConnection {
    let mut connection = PgConnection::connect(&subject.url).await.unwrap();
    let sql = AssertSqlSafe(format!("BEGIN; {sql}"));
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection
}

async fn let_go(mut transaction: PgConnection) {
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut transaction)
        .await
        .unwrap();
}

/// Returns when somebody waits for a lock of `transaction`.
async fn somebody_waits(transaction: &mut PgConnection) {
    loop {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))",
        )
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
        if waiting > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn with_work(subject: &Subject, rows: usize) -> (World, Arc<dyn Store>) {
    let store = subject.store.clone();
    let world = World::stored(&*store).await;
    for row in 0..rows {
        let job = Job::Detect {
            connection_id: fresh!(ConnectionId),
        };
        let run_at = at(i64::try_from(row).unwrap());
        let enqueue = Write::Enqueue(world.work(job, run_at));
        store.commit(vec![enqueue]).await.unwrap();
    }
    (world, store)
}

async fn claim(store: &dyn Store, now: i64) -> Option<Lease> {
    store
        .claim(&["detect"], at(now), at(now + 10))
        .await
        .unwrap()
}

/// The batch has passed its guard and waits for something else: until it is
/// through, its row is nobody else's, even when the lease runs out meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_guarded_batch_holds_its_row_to_the_end() {
    let Some(subject) = Subject::postgres().await else {
        return;
    };
    let (world, store) = with_work(&subject, 1).await;
    store.commit(vec![world.append(1)]).await.unwrap();
    let lease = claim(&*store, 0).await.unwrap();

    let mut blocker = standing_still(&subject, "SELECT * FROM streams FOR UPDATE").await;
    let guard = Write::Guard {
        lease: lease.clone(),
        now: at(9),
    };
    let batch = vec![guard.clone(), world.append(2)];
    let commit = tokio::spawn({
        let store = store.clone();
        async move { store.commit(batch).await }
    });
    somebody_waits(&mut blocker).await;
    assert_eq!(claim(&*store, 10).await, None);
    let_go(blocker).await;
    commit.await.unwrap().unwrap();

    let heir = claim(&*store, 10).await.unwrap();
    assert_eq!(heir.epoch, lease.epoch + 1);
    let late = store.commit(vec![guard, world.append(3)]).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    subject.drop_schema().await;
}

/// A row that somebody has locked delays nobody: the next one is claimed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_claim_passes_over_locked_rows() {
    let Some(subject) = Subject::postgres().await else {
        return;
    };
    let (_, store) = with_work(&subject, 2).await;
    let lock = "SELECT * FROM work ORDER BY run_at LIMIT 1 FOR UPDATE";
    let blocker = standing_still(&subject, lock).await;
    assert!(claim(&*store, 5).await.is_some());
    assert!(claim(&*store, 5).await.is_none());
    let_go(blocker).await;
    assert!(claim(&*store, 5).await.is_some());
    subject.drop_schema().await;
}

/// Completing waits for an enqueue that is under way, and then sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn completing_sees_an_enqueue_that_it_waited_for() {
    let Some(subject) = Subject::postgres().await else {
        return;
    };
    let (_, store) = with_work(&subject, 1).await;
    let lease = claim(&*store, 0).await.unwrap();
    let enqueue = format!("UPDATE work SET again_at = {}", at(50).as_millis());
    let mut enqueuing = standing_still(&subject, &enqueue).await;
    let complete = tokio::spawn({
        let (store, lease) = (store.clone(), lease.clone());
        async move { store.commit(vec![Write::CompleteWork { lease }]).await }
    });
    somebody_waits(&mut enqueuing).await;
    sqlx::raw_sql("COMMIT")
        .execute(&mut enqueuing)
        .await
        .unwrap();
    complete.await.unwrap().unwrap();
    assert_eq!(store.scheduled(&lease.job).await.unwrap(), Some(at(50)));
    subject.drop_schema().await;
}
