//! What this version cannot read is an error that says so.

use crate::{
    fixture::{World, at, fresh, secret},
    harness::{Subject, contract},
};
use landfall_model::{
    id::ConnectionId,
    store::{StoreError, Write},
    work::Job,
};

contract!(
    an_unreadable_document_is_reported_with_its_noun,
    an_unreadable_job_does_not_block_the_others,
);

fn corrupt<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> &'static str {
    match outcome {
        Err(StoreError::Corrupt { noun, .. }) => noun,
        other => panic!("{other:?}"),
    }
}

async fn an_unreadable_document_is_reported_with_its_noun(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    store
        .commit(vec![world.append(1), Write::Audit(world.audit("a"))])
        .await
        .unwrap();
    let (org, environment) = (world.org(), &world.environment.id);

    // Written by a newer version: a status that this one does not know.
    let newer = "UPDATE connections SET body = replace(body, '\"pending\"', '\"dormant\"')";
    assert_eq!(subject.raw(newer).await.unwrap(), 1);
    assert_eq!(corrupt(store.connections(org).await), "connection");
    assert_eq!(
        corrupt(store.connection(org, &world.connection.id).await),
        "connection"
    );

    for (table, garbage) in [
        ("organizations", "{"),
        ("members", ""),
        ("tokens", "[]"),
        ("sessions", "null"),
        ("check_runs", "{}"),
        ("applications", "\u{1f980}"),
        ("environments", "{\"id\":7}"),
        ("resources", "{}"),
        ("plans", "{}"),
        ("rollouts", "{}"),
        ("retained", "{}"),
    ] {
        let damage = format!("UPDATE {table} SET body = '{garbage}'");
        assert_eq!(subject.raw(&damage).await.unwrap(), 1, "{table}");
    }
    assert_eq!(corrupt(store.organizations().await), "organization");
    assert_eq!(corrupt(store.member(org, &world.member.id).await), "member");
    let hash = secret(world.token.id.as_str());
    assert_eq!(corrupt(store.token_by_secret(&hash).await), "token");
    let hash = secret(world.session.id.as_str());
    assert_eq!(corrupt(store.session_by_secret(&hash).await), "session");
    assert_eq!(
        corrupt(store.check_runs(org, &world.connection.id, 9).await),
        "check run"
    );
    assert_eq!(corrupt(store.applications(org).await), "application");
    assert_eq!(corrupt(store.environments(org).await), "environment");
    assert_eq!(corrupt(store.resources(environment).await), "resource");
    assert_eq!(corrupt(store.plans(org, environment, 9).await), "plan");
    assert_eq!(corrupt(store.rollouts(org, None, 9).await), "rollout");
    assert_eq!(corrupt(store.retained_list(org).await), "retained resource");

    // Append-only for us too: a damaged event is added beside the good one.
    subject
        .raw("INSERT INTO events (stream, seq, at, body) SELECT stream, 2, at, '{\"event\":\"Slept\"}' FROM events")
        .await
        .unwrap();
    assert_eq!(store.events(&world.stream(), 0, 1).await.unwrap().len(), 1);
    assert_eq!(
        corrupt(store.events(&world.stream(), 0, 9).await),
        "journal event"
    );
    subject
        .raw("INSERT INTO audit_entries (organization_id, seq, at, hash, body) SELECT organization_id, 2, at, hash, '{}' FROM audit_entries")
        .await
        .unwrap();
    assert_eq!(corrupt(store.audit(org, 0, 9).await), "audit entry");
}

async fn an_unreadable_job_does_not_block_the_others(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let job = || Job::Detect {
        connection_id: fresh!(ConnectionId),
    };
    store
        .commit(vec![Write::Enqueue(world.work(job(), at(0)))])
        .await
        .unwrap();
    subject
        .raw("UPDATE work SET body = '{\"kind\":\"dream\"}'")
        .await
        .unwrap();
    let good = job();
    store
        .commit(vec![Write::Enqueue(world.work(good.clone(), at(1)))])
        .await
        .unwrap();

    assert_eq!(
        corrupt(store.claim(&["detect"], at(5), at(9)).await),
        "work item"
    );
    // It is leased all the same, so the next claim gets on to the next row.
    let lease = store
        .claim(&["detect"], at(5), at(9))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(lease.job, good);
}
