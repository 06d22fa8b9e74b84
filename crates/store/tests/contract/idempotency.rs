use crate::{
    fixture::{World, at},
    harness::{Subject, contract},
};
use landfall_model::{
    Clock, Timestamp,
    digest::Digest,
    store::{Idempotency, StoreError, Write},
};
use std::sync::Arc;

contract!(
    an_answer_is_remembered_until_it_expires,
    a_key_in_use_refuses_a_second_answer_and_its_whole_batch,
    an_expired_key_is_used_anew,
    of_two_requests_at_once_one_is_done,
);

fn answer(world: &World, body: &str, expires_at: Timestamp) -> Idempotency {
    Idempotency {
        organization_id: world.org().clone(),
        key: "k-1".into(),
        request: Digest::of_bytes(b"POST /connections"),
        status: 201,
        body: body.to_owned(),
        expires_at,
    }
}

async fn an_answer_is_remembered_until_it_expires(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    let theirs = World::stored(store).await;
    let answer = answer(&ours, "{}", at(100));
    store
        .commit(vec![Write::InsertIdempotency(answer.clone())])
        .await
        .unwrap();
    let found = store.idempotency(ours.org(), "k-1", at(99)).await.unwrap();
    assert_eq!(found, Some(answer));
    assert_eq!(
        store.idempotency(ours.org(), "k-1", at(100)).await.unwrap(),
        None
    );
    assert_eq!(
        store.idempotency(ours.org(), "k-2", at(0)).await.unwrap(),
        None
    );
    assert_eq!(
        store.idempotency(theirs.org(), "k-1", at(0)).await.unwrap(),
        None
    );
}

async fn a_key_in_use_refuses_a_second_answer_and_its_whole_batch(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let first = answer(&world, "first", at(100));
    store
        .commit(vec![Write::InsertIdempotency(first.clone())])
        .await
        .unwrap();
    let error = store
        .commit(vec![
            world.append(1),
            Write::InsertIdempotency(answer(&world, "second", at(200))),
        ])
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Conflict {
                noun: "idempotency key",
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(store.events(&world.stream(), 0, 9).await.unwrap(), []);
    assert_eq!(
        store.idempotency(world.org(), "k-1", at(0)).await.unwrap(),
        Some(first)
    );
}

async fn an_expired_key_is_used_anew(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let first = answer(&world, "first", at(100));
    store
        .commit(vec![Write::InsertIdempotency(first)])
        .await
        .unwrap();
    subject.clock.advance(100);
    let second = answer(&world, "second", at(300));
    store
        .commit(vec![Write::InsertIdempotency(second.clone())])
        .await
        .unwrap();
    let found = store
        .idempotency(world.org(), "k-1", subject.clock.now())
        .await
        .unwrap();
    assert_eq!(found, Some(second));
}

async fn of_two_requests_at_once_one_is_done(subject: &Subject) {
    let world = Arc::new(World::stored(&*subject.store).await);
    let requests = (0..8).map(|number| {
        let (store, world) = (subject.store.clone(), world.clone());
        tokio::spawn(async move {
            store
                .commit(vec![
                    world.append(number),
                    Write::InsertIdempotency(answer(&world, "", at(100))),
                ])
                .await
        })
    });
    let mut done = 0;
    for request in requests.collect::<Vec<_>>() {
        match request.await.unwrap() {
            Ok(()) => done += 1,
            Err(error) => assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}"),
        }
    }
    assert_eq!(done, 1);
    assert_eq!(
        subject
            .store
            .events(&world.stream(), 0, 9)
            .await
            .unwrap()
            .len(),
        1
    );
}
