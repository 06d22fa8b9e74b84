//! A writer killed with SIGKILL has lost nothing that it was told is stored.

use crate::{
    fixture::{World, at},
    harness::{Subject, clock},
};
use landfall_model::{audit, journal::EventKind, store::Write, work::Job};
use sqlx::{Connection, Row, SqliteConnection};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

const URL: &str = "LANDFALL_STORE_KILLED_WRITER_URL";

/// Commits for ever, and says after each which it was. Runs only as the child
/// of the tests below, in the process that they kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_writer() {
    let Ok(url) = std::env::var(URL) else {
        return;
    };
    let store = landfall_store::open(&url, clock()).await.unwrap();
    let world = World::stored(&*store).await;
    println!("\norganization {} {}", world.org(), world.rollout.id);
    for number in 1..=u32::MAX {
        let mut connection = world.connection.clone();
        connection.version = u64::from(number) + 1;
        let job = Job::Verify {
            connection_id: connection.id.clone(),
        };
        store
            .commit(vec![
                world.append(number),
                Write::PutConnection(connection),
                Write::Enqueue(world.work(job, at(i64::from(number)))),
                Write::Audit(world.audit(&number.to_string())),
            ])
            .await
            .unwrap();
        println!("stored {number}");
    }
}

/// Kills a writer after `after` acknowledged commits and looks at what is there.
async fn kill_and_look(subject: &Subject, after: u32) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kill::killed_writer",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(URL, &subject.url)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut ids, mut acknowledged) = (None, 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["organization", organization, rollout] => {
                ids = Some((organization.to_owned(), rollout.to_owned()));
            }
            // Goes on reading after the kill: what is in the pipe was said.
            ["stored", number] => {
                acknowledged = number.parse().unwrap();
                if acknowledged == after {
                    child.kill().unwrap();
                }
            }
            _ => {}
        }
    }
    assert!(!child.wait().unwrap().success(), "it was killed");
    assert!(acknowledged >= after);
    let (organization, rollout) = ids.unwrap();
    let organization = organization.parse().unwrap();

    let store = subject.reopen().await;
    let stream = landfall_model::journal::Stream::Rollout(rollout.parse().unwrap());
    let events = store.events(&stream, 0, u32::MAX).await.unwrap();
    let count = u32::try_from(events.len()).unwrap();
    // One more than was said: killed between the commit and saying so.
    assert!(
        count == acknowledged || count == acknowledged + 1,
        "{count} of {acknowledged}"
    );
    for (event, number) in events.iter().zip(1..) {
        assert_eq!(event.seq, u64::from(number));
        let EventKind::Identified { attempt, .. } = event.kind else {
            panic!("{event:?}");
        };
        assert_eq!(attempt, number);
    }
    // Each batch is there whole: its audit entry, its noun, its work.
    let entries = store.audit(&organization, 0, u32::MAX).await.unwrap();
    assert_eq!(audit::verify(&entries), Ok(()));
    assert_eq!(entries.len(), events.len());
    let connections = store.connections(&organization).await.unwrap();
    assert_eq!(connections[0].version, u64::from(count) + 1);
    let job = Job::Verify {
        connection_id: connections[0].id.clone(),
    };
    assert_eq!(store.scheduled(&job).await.unwrap(), Some(at(1)));
}

async fn assert_intact(url: &str) {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    for check in ["PRAGMA integrity_check", "PRAGMA foreign_key_check"] {
        let rows = sqlx::query(check).fetch_all(&mut connection).await.unwrap();
        for row in rows {
            let said: String = row.get(0);
            assert_eq!(said, "ok", "{check}");
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_on_sqlite() {
    let subject = Subject::sqlite().await;
    for after in [1, 7, 60] {
        kill_and_look(&subject, after).await;
        assert_intact(&subject.url).await;
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_on_postgres() {
    let Some(subject) = Subject::postgres().await else {
        return;
    };
    for after in [1, 7, 60] {
        kill_and_look(&subject, after).await;
    }
    subject.drop_schema().await;
}
