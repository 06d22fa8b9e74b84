//! Durable work: claims, leases, fencing.

use crate::{
    fixture::{World, at, fresh},
    harness::{Subject, contract},
};
use landfall_model::{
    Timestamp,
    id::{ConnectionId, DestructionId, RetainedId, RolloutId, WorkId},
    store::{Store, StoreError, Write},
    work::{Job, Lease},
};

contract!(
    due_work_is_claimed_oldest_first_and_by_kind,
    a_claimed_row_is_nobody_elses_until_its_lease_runs_out,
    a_guard_refuses_a_lost_or_run_out_lease_with_the_whole_batch,
    enqueuing_what_is_queued_only_moves_it_earlier,
    what_is_enqueued_while_claimed_runs_again,
    what_is_enqueued_while_claimed_outlives_a_dead_worker,
    postponed_work_runs_later_with_its_attempts_forgotten,
    work_of_a_lost_lease_is_neither_completed_nor_postponed,
    a_heartbeat_prolongs_and_never_shortens,
    work_says_when_it_is_scheduled,
    jobs_come_back_as_they_were_enqueued,
    every_claim_counts_as_an_attempt,
);

const KINDS: &[&str] = &["rollout", "destruction", "detect", "verify"];

fn detect() -> Job {
    Job::Detect {
        connection_id: fresh!(ConnectionId),
    }
}

async fn enqueue(store: &dyn Store, world: &World, job: &Job, run_at: Timestamp) {
    let new = world.work(job.clone(), run_at);
    store.commit(vec![Write::Enqueue(new)]).await.unwrap();
}

async fn claim(store: &dyn Store, now: i64, until: i64) -> Option<Lease> {
    store.claim(KINDS, at(now), at(until)).await.unwrap()
}

fn assert_fenced<T: std::fmt::Debug>(outcome: Result<T, StoreError>, lease: &Lease) {
    match outcome {
        Err(StoreError::Fenced { work_id }) if work_id == lease.work_id => {}
        other => panic!("{other:?}"),
    }
}

async fn due_work_is_claimed_oldest_first_and_by_kind(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let (late, early, future) = (detect(), detect(), detect());
    let verify = Job::Verify {
        connection_id: fresh!(ConnectionId),
    };
    enqueue(store, &world, &late, at(20)).await;
    enqueue(store, &world, &early, at(10)).await;
    enqueue(store, &world, &future, at(101)).await;
    enqueue(store, &world, &verify, at(5)).await;

    assert_eq!(
        store.claim(&["rollout"], at(100), at(200)).await.unwrap(),
        None
    );
    assert_eq!(store.claim(&[], at(100), at(200)).await.unwrap(), None);
    // No kind is a part of another's name.
    assert_eq!(
        store
            .claim(&["verif", "y", "detec"], at(100), at(200))
            .await
            .unwrap(),
        None
    );

    let first = store
        .claim(&["rollout", "detect"], at(100), at(200))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first.job, early);
    assert_eq!(first.organization_id, *world.org());
    assert_eq!((first.epoch, first.attempts, first.until), (1, 1, at(200)));
    assert_eq!(claim(store, 100, 200).await.unwrap().job, verify);
    assert_eq!(claim(store, 100, 200).await.unwrap().job, late);
    assert_eq!(claim(store, 100, 200).await, None);
    assert_eq!(claim(store, 101, 200).await.unwrap().job, future);
}

async fn a_claimed_row_is_nobody_elses_until_its_lease_runs_out(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    enqueue(store, &world, &detect(), at(0)).await;
    let first = claim(store, 0, 50).await.unwrap();
    assert_eq!(claim(store, 49, 99).await, None);
    let second = claim(store, 50, 99).await.unwrap();
    assert_eq!(second.work_id, first.work_id);
    assert_eq!((second.epoch, second.attempts), (2, 2));
}

async fn a_guard_refuses_a_lost_or_run_out_lease_with_the_whole_batch(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    enqueue(store, &world, &detect(), at(0)).await;
    let lease = claim(store, 0, 50).await.unwrap();
    let write = async |lease: &Lease, now: i64| {
        store
            .commit(vec![
                Write::Guard {
                    lease: lease.clone(),
                    now: at(now),
                },
                world.append(1),
            ])
            .await
    };
    write(&lease, 49).await.unwrap();
    // Run out, though nobody has claimed it yet.
    assert_fenced(write(&lease, 50).await, &lease);
    let newer = claim(store, 60, 100).await.unwrap();
    assert_fenced(write(&lease, 49).await, &lease);
    write(&newer, 99).await.unwrap();
    let unknown = Lease {
        work_id: fresh!(WorkId),
        ..newer.clone()
    };
    assert_fenced(write(&unknown, 61).await, &unknown);
    store
        .commit(vec![Write::CompleteWork {
            lease: newer.clone(),
        }])
        .await
        .unwrap();
    assert_fenced(write(&newer, 61).await, &newer);
    let events = store.events(&world.stream(), 0, 9).await.unwrap();
    assert_eq!(events.len(), 2, "only the two guarded writes that held");
}

async fn enqueuing_what_is_queued_only_moves_it_earlier(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let job = detect();
    enqueue(store, &world, &job, at(50)).await;
    enqueue(store, &world, &job, at(90)).await;
    assert_eq!(store.scheduled(&job).await.unwrap(), Some(at(50)));
    enqueue(store, &world, &job, at(20)).await;
    assert_eq!(store.scheduled(&job).await.unwrap(), Some(at(20)));

    let lease = claim(store, 20, 30).await.unwrap();
    store
        .commit(vec![Write::CompleteWork { lease }])
        .await
        .unwrap();
    assert_eq!(claim(store, 1_000, 1_001).await, None, "there was one row");
}

async fn what_is_enqueued_while_claimed_runs_again(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let job = detect();
    enqueue(store, &world, &job, at(0)).await;
    let first = claim(store, 0, 50).await.unwrap();
    enqueue(store, &world, &job, at(70)).await;
    enqueue(store, &world, &job, at(40)).await;
    enqueue(store, &world, &job, at(60)).await;
    // The claim itself goes on undisturbed.
    assert_eq!(claim(store, 45, 99).await, None);
    store
        .commit(vec![Write::CompleteWork {
            lease: first.clone(),
        }])
        .await
        .unwrap();

    assert_eq!(claim(store, 39, 99).await, None);
    let second = claim(store, 40, 99).await.unwrap();
    assert_eq!(second.job, job);
    assert_eq!(second.attempts, 1);
    // The row is the same, so the old lease must be told from the new.
    assert!(second.work_id != first.work_id || second.epoch > first.epoch);
    let late = Write::Guard {
        lease: first.clone(),
        now: at(41),
    };
    assert_fenced(store.commit(vec![late]).await, &first);
    store
        .commit(vec![Write::CompleteWork { lease: second }])
        .await
        .unwrap();
    assert_eq!(claim(store, 1_000, 1_001).await, None);

    // A worker that schedules its own next run, in either order.
    for complete_first in [true, false] {
        enqueue(store, &world, &job, at(0)).await;
        let lease = claim(store, 0, 50).await.unwrap();
        let mut batch = vec![
            Write::CompleteWork { lease },
            Write::Enqueue(world.work(job.clone(), at(500))),
        ];
        if !complete_first {
            batch.reverse();
        }
        store.commit(batch).await.unwrap();
        assert_eq!(store.scheduled(&job).await.unwrap(), Some(at(500)));
        let lease = claim(store, 500, 600).await.unwrap();
        store
            .commit(vec![Write::CompleteWork { lease }])
            .await
            .unwrap();
    }
}

async fn what_is_enqueued_while_claimed_outlives_a_dead_worker(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let job = detect();
    enqueue(store, &world, &job, at(0)).await;
    claim(store, 0, 50).await.unwrap();
    enqueue(store, &world, &job, at(200)).await;
    // The worker dies; the next one takes over, and then runs again at 200.
    let heir = claim(store, 50, 99).await.unwrap();
    store
        .commit(vec![Write::CompleteWork { lease: heir }])
        .await
        .unwrap();
    assert_eq!(claim(store, 199, 250).await, None);
    let last = claim(store, 200, 250).await.unwrap();

    // What was asked before a claim is served by it: no second run.
    enqueue(store, &world, &job, at(210)).await;
    let heir = claim(store, 250, 300).await.unwrap();
    assert!(heir.epoch > last.epoch);
    store
        .commit(vec![Write::CompleteWork { lease: heir }])
        .await
        .unwrap();
    assert_eq!(claim(store, 1_000, 1_001).await, None);
}

async fn postponed_work_runs_later_with_its_attempts_forgotten(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let job = detect();
    enqueue(store, &world, &job, at(0)).await;
    claim(store, 0, 10).await.unwrap();
    let lease = claim(store, 10, 50).await.unwrap();
    assert_eq!(lease.attempts, 2);
    let postpone = |lease: &Lease, run_at| Write::PostponeWork {
        lease: lease.clone(),
        run_at: at(run_at),
    };
    store.commit(vec![postpone(&lease, 100)]).await.unwrap();
    assert_fenced(store.commit(vec![postpone(&lease, 90)]).await, &lease);
    assert_eq!(claim(store, 99, 200).await, None);
    let lease = claim(store, 100, 200).await.unwrap();
    assert_eq!((lease.epoch, lease.attempts), (3, 1));

    // Asked for meanwhile, and earlier than the worker wants.
    enqueue(store, &world, &job, at(150)).await;
    store.commit(vec![postpone(&lease, 900)]).await.unwrap();
    assert_eq!(store.scheduled(&job).await.unwrap(), Some(at(150)));
    let lease = claim(store, 150, 200).await.unwrap();
    enqueue(store, &world, &job, at(900)).await;
    store.commit(vec![postpone(&lease, 300)]).await.unwrap();
    assert_eq!(store.scheduled(&job).await.unwrap(), Some(at(300)));
}

async fn work_of_a_lost_lease_is_neither_completed_nor_postponed(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    enqueue(store, &world, &detect(), at(0)).await;
    let lost = claim(store, 0, 50).await.unwrap();
    let held = claim(store, 50, 100).await.unwrap();
    let lost_writes = [
        Write::CompleteWork {
            lease: lost.clone(),
        },
        Write::PostponeWork {
            lease: lost.clone(),
            run_at: at(60),
        },
    ];
    for write in lost_writes {
        assert_fenced(store.commit(vec![world.append(1), write]).await, &lost);
    }
    assert_eq!(store.events(&world.stream(), 0, 9).await.unwrap(), []);
    let guard = Write::Guard {
        lease: held.clone(),
        now: at(99),
    };
    store
        .commit(vec![
            guard,
            Write::CompleteWork {
                lease: held.clone(),
            },
        ])
        .await
        .unwrap();
    let again = store
        .commit(vec![Write::CompleteWork {
            lease: held.clone(),
        }])
        .await;
    assert_fenced(again, &held);
}

async fn a_heartbeat_prolongs_and_never_shortens(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    enqueue(store, &world, &detect(), at(0)).await;
    let lease = claim(store, 0, 50).await.unwrap();
    let longer = store.heartbeat(&lease, at(80)).await.unwrap();
    assert_eq!(
        longer,
        Lease {
            until: at(80),
            ..lease.clone()
        }
    );
    assert_eq!(store.heartbeat(&lease, at(60)).await.unwrap().until, at(80));
    assert_eq!(claim(store, 79, 99).await, None);

    let newer = claim(store, 80, 99).await.unwrap();
    assert_fenced(store.heartbeat(&longer, at(200)).await, &lease);
    store
        .commit(vec![Write::CompleteWork {
            lease: newer.clone(),
        }])
        .await
        .unwrap();
    assert_fenced(store.heartbeat(&newer, at(200)).await, &newer);
}

async fn work_says_when_it_is_scheduled(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let job = detect();
    assert_eq!(store.scheduled(&job).await.unwrap(), None);
    enqueue(store, &world, &job, at(7)).await;
    assert_eq!(store.scheduled(&job).await.unwrap(), Some(at(7)));
    let lease = claim(store, 7, 50).await.unwrap();
    assert_eq!(store.scheduled(&job).await.unwrap(), None, "it runs now");
    enqueue(store, &world, &job, at(99)).await;
    assert_eq!(store.scheduled(&job).await.unwrap(), Some(at(99)));
    store
        .commit(vec![Write::CompleteWork { lease }])
        .await
        .unwrap();
    assert_eq!(store.scheduled(&job).await.unwrap(), Some(at(99)));
}

async fn jobs_come_back_as_they_were_enqueued(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let jobs = [
        Job::Rollout {
            rollout_id: fresh!(RolloutId),
        },
        Job::Destruction {
            destruction_id: fresh!(DestructionId),
            retained_id: fresh!(RetainedId),
        },
        detect(),
        Job::Verify {
            connection_id: fresh!(ConnectionId),
        },
    ];
    for (job, run_at) in jobs.iter().zip(0..) {
        enqueue(store, &world, job, at(run_at)).await;
    }
    for job in &jobs {
        assert_eq!(&claim(store, 100, 200).await.unwrap().job, job);
    }

    // An id is taken once, even for another job.
    let mut taken = world.work(detect(), at(0));
    store
        .commit(vec![Write::Enqueue(taken.clone())])
        .await
        .unwrap();
    taken.job = detect();
    let error = store.commit(vec![Write::Enqueue(taken)]).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Conflict {
                noun: "work item",
                ..
            }
        ),
        "{error:?}"
    );
}

async fn every_claim_counts_as_an_attempt(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    enqueue(store, &world, &detect(), at(0)).await;
    for attempt in 1..=5_u32 {
        let now = i64::from(attempt) * 10;
        let lease = claim(store, now, now + 10).await.unwrap();
        assert_eq!((lease.epoch, lease.attempts), (u64::from(attempt), attempt));
    }
}
