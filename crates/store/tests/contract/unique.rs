//! Names are unique among the living, external ids for ever.

use crate::{
    fixture::{self, World, at},
    harness::{Subject, contract},
};
use landfall_model::{
    application, connection, environment,
    organization::Organization,
    store::{StoreError, Write},
};

contract!(
    a_connections_name_is_unique_until_it_is_disconnected,
    an_applications_name_is_unique_until_it_is_deleted,
    an_environments_name_is_unique_in_its_application,
    an_external_id_is_never_reused,
    an_id_is_taken_once,
);

fn taken(error: &StoreError) -> (&'static str, &str) {
    match error {
        StoreError::Taken { noun, name } => (noun, name),
        other => panic!("{other:?}"),
    }
}

async fn a_connections_name_is_unique_until_it_is_disconnected(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    // Another organization has one of the same name already.
    World::stored(store).await;

    let second = fixture::connection(ours.org(), &ours.connection.name);
    let insert = vec![Write::PutConnection(second.clone())];
    let error = store.commit(insert.clone()).await.unwrap_err();
    assert_eq!(taken(&error), ("connection", "prod-account"));

    // Renaming to a taken name is refused too.
    let mut third = fixture::connection(ours.org(), "third");
    store
        .commit(vec![Write::PutConnection(third.clone())])
        .await
        .unwrap();
    third.name = ours.connection.name.clone();
    third.version = 2;
    let error = store
        .commit(vec![Write::PutConnection(third)])
        .await
        .unwrap_err();
    assert_eq!(taken(&error), ("connection", "prod-account"));

    let mut ended = ours.connection.clone();
    ended.state = connection::State::Disconnected { at: at(1) };
    ended.version = 2;
    store
        .commit(vec![Write::PutConnection(ended)])
        .await
        .unwrap();
    store.commit(insert).await.unwrap();
}

async fn an_applications_name_is_unique_until_it_is_deleted(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    World::stored(store).await;

    let second = fixture::application(ours.org(), "shop");
    let insert = vec![Write::PutApplication(second)];
    let error = store.commit(insert.clone()).await.unwrap_err();
    assert_eq!(taken(&error), ("application", "shop"));

    let mut deleted = ours.application.clone();
    deleted.state = application::State::Deleted { at: at(1) };
    deleted.version = 2;
    store
        .commit(vec![Write::PutApplication(deleted.clone())])
        .await
        .unwrap();
    store.commit(insert).await.unwrap();

    // The old one cannot come back under its name.
    deleted.state = application::State::Active;
    deleted.version = 3;
    let error = store
        .commit(vec![Write::PutApplication(deleted)])
        .await
        .unwrap_err();
    assert_eq!(taken(&error), ("application", "shop"));
}

async fn an_environments_name_is_unique_in_its_application(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    let other = fixture::application(ours.org(), "blog");
    let elsewhere = fixture::environment(&other, &ours.connection, "production");
    store
        .commit(vec![
            Write::PutApplication(other),
            Write::PutEnvironment(elsewhere),
        ])
        .await
        .unwrap();

    let second = fixture::environment(&ours.application, &ours.connection, "production");
    let insert = vec![Write::PutEnvironment(second)];
    let error = store.commit(insert.clone()).await.unwrap_err();
    assert_eq!(taken(&error), ("environment", "production"));

    let mut deleted = ours.environment.clone();
    deleted.state = environment::State::Deleted { at: at(1) };
    deleted.version = 2;
    store
        .commit(vec![Write::PutEnvironment(deleted)])
        .await
        .unwrap();
    store.commit(insert).await.unwrap();
}

async fn an_external_id_is_never_reused(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    let theirs = World::stored(store).await;
    let mut ended = ours.connection.clone();
    ended.state = connection::State::Disconnected { at: at(1) };
    ended.version = 2;
    store
        .commit(vec![Write::PutConnection(ended)])
        .await
        .unwrap();

    let mut thief = fixture::connection(theirs.org(), "thief");
    thief.external_id = ours.connection.external_id.clone();
    let error = store
        .commit(vec![Write::PutConnection(thief)])
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Conflict {
                noun: "connection",
                ..
            }
        ),
        "{error:?}"
    );

    let mut changed = theirs.connection.clone();
    changed.external_id = "landfall-another".into();
    changed.version = 2;
    let error = store
        .commit(vec![Write::PutConnection(changed)])
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Conflict {
                noun: "connection",
                ..
            }
        ),
        "{error:?}"
    );
}

async fn an_id_is_taken_once(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    for write in world.writes() {
        if matches!(write, Write::PutResource(_)) {
            continue;
        }
        let error = store.commit(vec![write.clone()]).await.unwrap_err();
        let refused = matches!(
            error,
            StoreError::Conflict { .. } | StoreError::Taken { .. }
        );
        assert!(refused, "{write:?}: {error:?}");
    }
    let again = Organization {
        name: "Other".into(),
        ..world.organization.clone()
    };
    let error = store
        .commit(vec![Write::InsertOrganization(again)])
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Conflict {
                noun: "organization",
                ..
            }
        ),
        "{error:?}"
    );
}
