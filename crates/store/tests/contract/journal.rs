use crate::{
    fixture::{World, at, fresh},
    harness::{Subject, contract},
};
use landfall_model::{
    driver::{Failure, FailureKind},
    graph::Address,
    id::DestructionId,
    journal::{Event, EventKind, Stream},
    store::{StoreError, Write},
};
use std::sync::Arc;

contract!(
    events_are_numbered_in_each_stream_and_paged,
    an_event_is_read_back_whole,
    a_refused_batch_leaves_no_gap,
    concurrent_appends_are_contiguous,
    an_event_is_never_changed_or_deleted,
);

async fn events_are_numbered_in_each_stream_and_paged(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let other = World::stored(store).await;
    let batch = vec![world.append(1), other.append(1), world.append(2)];
    store.commit(batch).await.unwrap();
    store
        .commit(vec![world.append(3), other.append(2)])
        .await
        .unwrap();

    let numbers = |events: &[Event]| events.iter().map(|event| event.seq).collect::<Vec<_>>();
    let all = store.events(&world.stream(), 0, 100).await.unwrap();
    assert_eq!(numbers(&all), [1, 2, 3]);
    assert_eq!(
        numbers(&store.events(&other.stream(), 0, 100).await.unwrap()),
        [1, 2]
    );
    assert_eq!(store.events(&world.stream(), 0, 2).await.unwrap(), all[..2]);
    assert_eq!(store.events(&world.stream(), 2, 2).await.unwrap(), all[2..]);
    assert_eq!(store.events(&world.stream(), 3, 2).await.unwrap(), []);
    assert_eq!(
        store.events(&world.stream(), u64::MAX, 2).await.unwrap(),
        []
    );
}

async fn an_event_is_read_back_whole(subject: &Subject) {
    let store = &*subject.store;
    let stream = Stream::Destruction(fresh!(DestructionId));
    let kinds = [
        (None, EventKind::Started),
        (
            Some(Address::new("db.instance")),
            EventKind::Failed {
                failure: Failure {
                    action: Some("rds:DeleteDBInstance".into()),
                    ..Failure::new(FailureKind::Denied, "AccessDenied", "explicit deny")
                },
            },
        ),
    ];
    let writes = kinds.iter().map(|(address, kind)| Write::Append {
        stream: stream.clone(),
        at: at(7),
        address: address.clone(),
        kind: kind.clone(),
    });
    store.commit(writes.collect()).await.unwrap();
    let expected = kinds
        .into_iter()
        .zip(1..)
        .map(|((address, kind), seq)| Event {
            stream: stream.clone(),
            seq,
            at: at(7),
            address,
            kind,
        });
    let found = store.events(&stream, 0, 9).await.unwrap();
    assert_eq!(found, expected.collect::<Vec<_>>());
}

async fn a_refused_batch_leaves_no_gap(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    store.commit(vec![world.append(1)]).await.unwrap();
    let mut stale = world.rollout.clone();
    stale.version = 9;
    let error = store
        .commit(vec![world.append(2), Write::PutRollout(stale)])
        .await;
    assert!(
        matches!(error, Err(StoreError::Conflict { .. })),
        "{error:?}"
    );
    store.commit(vec![world.append(3)]).await.unwrap();
    let events = store.events(&world.stream(), 0, 9).await.unwrap();
    assert_eq!(
        events.iter().map(|event| event.seq).collect::<Vec<_>>(),
        [1, 2]
    );
    assert!(matches!(
        events[1].kind,
        EventKind::Identified { attempt: 3, .. }
    ));
}

async fn concurrent_appends_are_contiguous(subject: &Subject) {
    const TASKS: u32 = 8;
    const EACH: u32 = 12;
    let world = Arc::new(World::stored(&*subject.store).await);
    let tasks = (0..TASKS).map(|task| {
        let (store, world) = (subject.store.clone(), world.clone());
        tokio::spawn(async move {
            for number in 0..EACH {
                // Two in one batch stay together.
                let number = task * 1_000 + number;
                store
                    .commit(vec![world.append(number), world.append(number)])
                    .await
                    .unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let events = subject
        .store
        .events(&world.stream(), 0, 1_000)
        .await
        .unwrap();
    let expected = (1..=u64::from(TASKS * EACH * 2)).collect::<Vec<_>>();
    assert_eq!(
        events.iter().map(|event| event.seq).collect::<Vec<_>>(),
        expected
    );
    for pair in events.chunks(2) {
        assert_eq!(pair[0].kind, pair[1].kind);
    }
}

async fn an_event_is_never_changed_or_deleted(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    store.commit(vec![world.append(1)]).await.unwrap();
    let before = store.events(&world.stream(), 0, 9).await.unwrap();
    let mut attacks = vec![
        "UPDATE events SET body = '{}'",
        "DELETE FROM events",
        "INSERT INTO events (stream, seq, at, body) SELECT stream, seq, at, '{}' FROM events WHERE true
         ON CONFLICT (stream, seq) DO UPDATE SET body = excluded.body",
    ];
    if subject.is_postgres() {
        attacks.push("TRUNCATE events CASCADE");
    } else {
        attacks.push(
            "INSERT OR REPLACE INTO events (stream, seq, at, body)
             SELECT stream, seq, at, '{}' FROM events",
        );
    }
    for attack in attacks {
        let error = subject.raw(attack).await.unwrap_err();
        assert!(
            error.to_string().contains("append-only"),
            "{attack}: {error}"
        );
    }
    assert_eq!(store.events(&world.stream(), 0, 9).await.unwrap(), before);
}
