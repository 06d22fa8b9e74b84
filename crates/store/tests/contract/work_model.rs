//! Any sequence of what workers and users do to the queue, against a model of
//! it that is small enough to be seen to be right.

use crate::{
    fixture::{World, at, fresh},
    harness::Subject,
};
use landfall_model::{
    id::ConnectionId,
    store::{StoreError, Write},
    work::{Job, Lease},
};
use proptest::prelude::*;

const JOBS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Enqueue {
        job: usize,
        delay: i64,
    },
    Claim {
        length: i64,
    },
    /// Under the `lease`th lease ever given, however old.
    Guard {
        lease: usize,
    },
    Heartbeat {
        lease: usize,
        length: i64,
    },
    Complete {
        lease: usize,
    },
    Postpone {
        lease: usize,
        delay: i64,
    },
    Wait {
        millis: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..JOBS, 0..20_i64).prop_map(|(job, delay)| Step::Enqueue { job, delay }),
        4 => (1..15_i64).prop_map(|length| Step::Claim { length }),
        2 => (0..8_usize).prop_map(|lease| Step::Guard { lease }),
        1 => (0..8_usize, 0..15_i64).prop_map(|(lease, length)| Step::Heartbeat { lease, length }),
        2 => (0..8_usize).prop_map(|lease| Step::Complete { lease }),
        2 => (0..8_usize, 0..20_i64).prop_map(|(lease, delay)| Step::Postpone { lease, delay }),
        3 => (1..10_i64).prop_map(|millis| Step::Wait { millis }),
    ]
}

/// What a job's row should be. Every run that was asked for is owed until a
/// claim made at or after its time.
#[derive(Clone, Debug, Default)]
struct Expected {
    /// When it is owed to run, while nobody holds it.
    queued: Option<i64>,
    /// The index of the newest lease and its end, while it is held.
    held: Option<(usize, i64)>,
    /// Owed again after the present claim.
    again: Option<i64>,
}

fn earlier(a: Option<i64>, b: i64) -> Option<i64> {
    Some(a.map_or(b, |a| a.min(b)))
}

async fn run(subject: &Subject, steps: Vec<Step>) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let jobs: [Job; JOBS] = std::array::from_fn(|_| Job::Detect {
        connection_id: fresh!(ConnectionId),
    });
    let mut expected: [Expected; JOBS] = std::array::from_fn(|_| Expected::default());
    let mut leases: Vec<(usize, Lease)> = Vec::new();
    let mut now = 0;

    for step in steps {
        match step {
            Step::Wait { millis } => now += millis,
            Step::Enqueue { job, delay } => {
                let new = world.work(jobs[job].clone(), at(now + delay));
                store.commit(vec![Write::Enqueue(new)]).await.unwrap();
                let row = &mut expected[job];
                if row.held.is_some() {
                    row.again = earlier(row.again, now + delay);
                } else {
                    row.queued = earlier(row.queued, now + delay);
                }
            }
            Step::Claim { length } => {
                let claimed = store
                    .claim(&["detect"], at(now), at(now + length))
                    .await
                    .unwrap();
                let due = |row: &Expected| {
                    row.queued.is_some_and(|run_at| run_at <= now)
                        || row.held.is_some_and(|(_, until)| until <= now)
                };
                let Some(lease) = claimed else {
                    assert!(!expected.iter().any(due), "at {now}: {expected:?}");
                    continue;
                };
                let job = jobs.iter().position(|job| *job == lease.job).unwrap();
                let row = &mut expected[job];
                assert!(due(row), "at {now}: {row:?}");
                row.queued = None;
                row.held = Some((leases.len(), now + length));
                row.again = row.again.filter(|again| *again > now);
                leases.push((job, lease));
            }
            Step::Guard { lease: index } => {
                let Some((job, lease)) = leases.get(index) else {
                    continue;
                };
                let guard = Write::Guard {
                    lease: lease.clone(),
                    now: at(now),
                };
                let holds = expected[*job]
                    .held
                    .is_some_and(|(holder, until)| holder == index && until > now);
                check(store.commit(vec![guard]).await, holds);
            }
            Step::Heartbeat {
                lease: index,
                length,
            } => {
                let Some((job, lease)) = leases.get(index) else {
                    continue;
                };
                let row = &mut expected[*job];
                let outcome = store.heartbeat(lease, at(now + length)).await;
                match &mut row.held {
                    Some((holder, until)) if *holder == index => {
                        *until = (*until).max(now + length);
                        assert_eq!(outcome.unwrap().until, at(*until));
                    }
                    _ => check(outcome, false),
                }
            }
            Step::Complete { lease: index } => {
                let Some((job, lease)) = leases.get(index) else {
                    continue;
                };
                let row = &mut expected[*job];
                let holds = row.held.is_some_and(|(holder, _)| holder == index);
                let complete = Write::CompleteWork {
                    lease: lease.clone(),
                };
                check(store.commit(vec![complete]).await, holds);
                if holds {
                    *row = Expected {
                        queued: row.again,
                        ..Expected::default()
                    };
                }
            }
            Step::Postpone {
                lease: index,
                delay,
            } => {
                let Some((job, lease)) = leases.get(index) else {
                    continue;
                };
                let row = &mut expected[*job];
                let holds = row.held.is_some_and(|(holder, _)| holder == index);
                let postpone = Write::PostponeWork {
                    lease: lease.clone(),
                    run_at: at(now + delay),
                };
                check(store.commit(vec![postpone]).await, holds);
                if holds {
                    *row = Expected {
                        queued: earlier(row.again, now + delay),
                        ..Expected::default()
                    };
                }
            }
        }
        for (job, row) in jobs.iter().zip(&expected) {
            let scheduled = if row.held.is_some() {
                row.again
            } else {
                row.queued
            };
            assert_eq!(store.scheduled(job).await.unwrap(), scheduled.map(at));
        }
    }
}

fn check<T: std::fmt::Debug>(outcome: Result<T, StoreError>, holds: bool) {
    match outcome {
        Ok(_) if holds => {}
        Err(StoreError::Fenced { .. }) if !holds => {}
        other => panic!("holds: {holds}, but {other:?}"),
    }
}

fn all_sequences(subject: &Subject, runtime: &tokio::runtime::Runtime, cases: u32) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(steps in prop::collection::vec(step(), 1..60))| {
        runtime.block_on(async {
            // Rows of earlier cases would be claimed in this one.
            subject.raw("DELETE FROM work").await.unwrap();
            run(subject, steps).await;
        });
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn any_sequence_agrees_with_the_model_on_sqlite() {
    let runtime = runtime();
    let subject = runtime.block_on(Subject::sqlite());
    all_sequences(&subject, &runtime, 40);
}

#[test]
fn any_sequence_agrees_with_the_model_on_postgres() {
    let runtime = runtime();
    let Some(subject) = runtime.block_on(Subject::postgres()) else {
        return;
    };
    all_sequences(&subject, &runtime, 40);
    runtime.block_on(subject.drop_schema());
}
