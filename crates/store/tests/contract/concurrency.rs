//! Several workers, several replicas, one database.

use crate::{
    fixture::{self, World, at, fresh},
    harness::{Subject, contract},
};
use landfall_model::{
    connection,
    graph::Address,
    id::{ConnectionId, WorkId},
    journal::{Event, EventKind},
    store::{Store, StoreError, Write},
    work::Job,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

contract!(
    no_two_workers_hold_the_same_epoch,
    of_two_writers_of_a_version_one_wins,
    an_enqueue_is_never_lost_to_a_completion,
    a_fenced_worker_writes_nothing_after_its_heir_began,
    transactions_that_block_each_other_all_succeed,
    a_dropped_commit_does_not_hold_up_the_next,
);

/// Two handles on one database, as two replicas have.
async fn replicas(subject: &Subject) -> [Arc<dyn Store>; 2] {
    [subject.store.clone(), subject.reopen().await]
}

async fn no_two_workers_hold_the_same_epoch(subject: &Subject) {
    const ROWS: usize = 24;
    const ROUNDS: usize = 30;
    let world = World::stored(&*subject.store).await;
    let enqueue = (0..ROWS).map(|_| {
        let job = Job::Detect {
            connection_id: fresh!(ConnectionId),
        };
        Write::Enqueue(world.work(job, at(0)))
    });
    subject.store.commit(enqueue.collect()).await.unwrap();

    let claims: Arc<Mutex<BTreeMap<WorkId, BTreeSet<u64>>>> = Arc::default();
    let replicas = replicas(subject).await;
    let workers = (0..8_usize).map(|worker| {
        let (store, claims) = (replicas[worker % 2].clone(), claims.clone());
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                // First every row is leased for long; from the 20th round on
                // each lease has run out by the next claim, so that all fight
                // for the same row.
                let (now, length) = if round < 20 { (0, 10) } else { (round * 10, 1) };
                let now = at(i64::try_from(now).unwrap());
                let lease = store
                    .claim(&["detect"], now, now.plus_millis(length))
                    .await
                    .unwrap();
                if let Some(lease) = lease {
                    let mut claims = claims.lock().unwrap();
                    let epochs = claims.entry(lease.work_id.clone()).or_default();
                    assert!(epochs.insert(lease.epoch), "claimed twice: {lease:?}");
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let claims = claims.lock().unwrap();
    assert_eq!(claims.len(), ROWS, "every row was claimed");
    assert!(
        claims.values().any(|epochs| epochs.len() > 1),
        "and some again"
    );
    for epochs in claims.values() {
        // Nor was an epoch given away that nobody got.
        let count = u64::try_from(epochs.len()).unwrap();
        assert_eq!(
            epochs.iter().copied().collect::<Vec<_>>(),
            (1..=count).collect::<Vec<_>>()
        );
    }
}

async fn of_two_writers_of_a_version_one_wins(subject: &Subject) {
    const ROUNDS: u64 = 15;
    const WRITERS: usize = 4;
    let world = World::stored(&*subject.store).await;
    let replicas = replicas(subject).await;
    for version in 2..2 + ROUNDS {
        let writers = (0..WRITERS).map(|writer| {
            let store = replicas[writer % 2].clone();
            let mut connection = world.connection.clone();
            connection.version = version;
            connection.state = connection::State::Revoked {
                since: at(0),
                reason: format!("writer {writer}"),
            };
            tokio::spawn(async move {
                let write = Write::PutConnection(connection.clone());
                (connection, store.commit(vec![write]).await)
            })
        });
        let mut winners = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            match writer.await.unwrap() {
                (connection, Ok(())) => winners.push(connection),
                (_, Err(StoreError::Conflict { .. })) => {}
                (_, Err(error)) => panic!("{error:?}"),
            }
        }
        let stored = subject
            .store
            .connection(world.org(), &world.connection.id)
            .await
            .unwrap();
        assert_eq!(winners, [stored.unwrap()]);
    }
}

/// A user asks for a verification at the very moment at which the last one is
/// completed: the row must not be deleted with the request in it.
async fn an_enqueue_is_never_lost_to_a_completion(subject: &Subject) {
    let world = World::stored(&*subject.store).await;
    let replicas = replicas(subject).await;
    let job = Job::Verify {
        connection_id: world.connection.id.clone(),
    };
    let first = Write::Enqueue(world.work(job.clone(), at(0)));
    subject.store.commit(vec![first]).await.unwrap();
    for round in 0..40 {
        let lease = subject
            .store
            .claim(&["verify"], at(round), at(round + 1))
            .await;
        let lease = lease.unwrap().expect("the last enqueue was lost");
        let (worker, user) = (replicas[0].clone(), replicas[1].clone());
        let again = Write::Enqueue(world.work(job.clone(), at(round)));
        let complete =
            tokio::spawn(async move { worker.commit(vec![Write::CompleteWork { lease }]).await });
        let enqueue = tokio::spawn(async move { user.commit(vec![again]).await });
        complete.await.unwrap().unwrap();
        enqueue.await.unwrap().unwrap();
    }
}

/// The event says under which epoch it was written: in the journal, epochs
/// must not go back.
async fn a_fenced_worker_writes_nothing_after_its_heir_began(subject: &Subject) {
    let world = Arc::new(World::stored(&*subject.store).await);
    let replicas = replicas(subject).await;
    let job = Job::Rollout {
        rollout_id: world.rollout.id.clone(),
    };
    let enqueue = Write::Enqueue(world.work(job, at(0)));
    subject.store.commit(vec![enqueue]).await.unwrap();

    let workers = (0..6_usize).map(|worker| {
        let (store, world) = (replicas[worker % 2].clone(), world.clone());
        tokio::spawn(async move {
            let mut written = 0;
            for round in 0..25 {
                let now = at(round * 10);
                // Each claim ends at once, so that all fight for the row.
                let Some(lease) = store
                    .claim(&["rollout"], now, now.plus_millis(1))
                    .await
                    .unwrap()
                else {
                    continue;
                };
                for _ in 0..2 {
                    let epoch = u32::try_from(lease.epoch).unwrap();
                    let guard = Write::Guard {
                        lease: lease.clone(),
                        now,
                    };
                    match store.commit(vec![guard, world.append(epoch)]).await {
                        Ok(()) => written += 1,
                        Err(StoreError::Fenced { .. }) => break,
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }
            written
        })
    });
    let mut written = 0;
    for worker in workers.collect::<Vec<_>>() {
        written += worker.await.unwrap();
    }
    let events = subject
        .store
        .events(&world.stream(), 0, 10_000)
        .await
        .unwrap();
    assert_eq!(events.len(), written);
    assert!(written > 0);
    let epochs = events.iter().map(epoch_of).collect::<Vec<_>>();
    assert!(epochs.is_sorted(), "{epochs:?}");
}

fn epoch_of(event: &Event) -> u32 {
    match event.kind {
        EventKind::Identified { attempt, .. } => attempt,
        _ => panic!("{event:?}"),
    }
}

/// In opposite orders, long enough to meet: PostgreSQL ends one of them as a
/// deadlock's victim, and it is tried again.
async fn transactions_that_block_each_other_all_succeed(subject: &Subject) {
    let world = World::stored(&*subject.store).await;
    let resources = (0..120)
        .map(|number| fixture::resource(&world.environment, &format!("r.{number:03}")))
        .collect::<Vec<_>>();
    let writers = (0..3_usize).map(|writer| {
        let store = subject.store.clone();
        let mut writes = resources
            .iter()
            .map(|resource| {
                let mut resource = resource.clone();
                resource.identifier = format!("by-{writer}");
                Write::PutResource(resource)
            })
            .collect::<Vec<_>>();
        if writer % 2 == 1 {
            writes.reverse();
        }
        tokio::spawn(async move { store.commit(writes).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    let stored = subject
        .store
        .resources(&world.environment.id)
        .await
        .unwrap();
    let writers = stored
        .iter()
        .filter(|resource| resource.address != Address::new("network.vpc"))
        .map(|resource| resource.identifier.as_str())
        .collect::<BTreeSet<_>>();
    assert_eq!(writers.len(), 1, "one transaction was last: {writers:?}");
}

/// A caller that goes away in the middle (a browser that closes) leaves no
/// open transaction behind.
async fn a_dropped_commit_does_not_hold_up_the_next(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    for polls in 1..30 {
        let batch = (0..5).map(|number| world.append(number)).collect();
        let commit = store.commit(batch);
        tokio::pin!(commit);
        // Let it get a little further each time, then drop it.
        tokio::select! {
            biased;
            outcome = &mut commit => outcome.unwrap(),
            () = async { for _ in 0..polls { tokio::task::yield_now().await } } => {}
        }
    }
    store.commit(vec![world.append(99)]).await.unwrap();
    let events = store.events(&world.stream(), 0, 10_000).await.unwrap();
    let numbers = events.iter().map(|event| event.seq).collect::<Vec<_>>();
    let count = u64::try_from(events.len()).unwrap();
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
    assert_eq!(count % 5, 1, "a batch is there whole or not at all");
}
