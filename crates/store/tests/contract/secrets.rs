//! Sealed secrets and signing keys.

use crate::{
    fixture::{World, at, fresh, only},
    harness::{Subject, contract},
};
use landfall_model::{
    id::{ConnectionId, OrganizationId, SecretId},
    secret::{Purpose, Secret},
    signing_key::{SigningKey, State},
    store::{StoreError, Write},
    vault::Sealed,
};
use serde_json::json;

contract!(
    a_secret_is_read_back_by_its_organization_alone,
    a_secret_needs_the_version_before_its_own,
    a_secret_of_another_organizations_connection_is_refused,
    a_rotation_finds_what_is_under_older_keys,
    a_deleted_secret_is_gone,
    signing_keys_are_read_back_oldest_first,
    one_key_signs_and_one_will,
    an_unreadable_record_is_reported,
);

fn sealed(key_version: u32) -> Sealed {
    Sealed::parse(format!("lf1.{key_version}.d3JhcHBlZA.Y2lwaGVydGV4dA")).unwrap()
}

fn secret(organization: &OrganizationId, connection: Option<&ConnectionId>, key: u32) -> Secret {
    Secret {
        id: fresh!(SecretId),
        organization_id: organization.clone(),
        connection_id: connection.cloned(),
        purpose: Purpose::AzureClientSecret,
        sealed: sealed(key),
        expires_at: Some(at(9_000)),
        created_at: at(0),
        version: 1,
    }
}

async fn put(subject: &Subject, secret: &Secret) -> Result<(), StoreError> {
    let write = Write::PutSecret(secret.clone());
    subject.store.commit(vec![write]).await
}

async fn a_secret_is_read_back_by_its_organization_alone(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    let theirs = World::stored(store).await;
    let one = secret(ours.org(), Some(&ours.connection.id), 1);
    let unbound = secret(ours.org(), None, 1);
    put(subject, &one).await.unwrap();
    put(subject, &unbound).await.unwrap();

    let found = store.secret(ours.org(), &one.id).await.unwrap();
    assert_eq!(found, Some(one.clone()));
    assert_eq!(
        store.secrets(ours.org()).await.unwrap(),
        [one.clone(), unbound]
    );
    assert_eq!(store.secret(theirs.org(), &one.id).await.unwrap(), None);
    assert_eq!(store.secrets(theirs.org()).await.unwrap(), []);

    // Nor can another organization's write touch it.
    let mut stolen = one.clone();
    stolen.organization_id = theirs.org().clone();
    stolen.connection_id = None;
    stolen.version = 2;
    let error = put(subject, &stolen).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Conflict { noun: "secret", .. }),
        "{error:?}"
    );
    let found = store.secret(ours.org(), &one.id).await.unwrap();
    assert_eq!(found, Some(one));
}

async fn a_secret_needs_the_version_before_its_own(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let mut one = secret(world.org(), None, 1);
    put(subject, &one).await.unwrap();
    assert!(put(subject, &one).await.is_err());
    one.version = 3;
    assert!(put(subject, &one).await.is_err());
    one.version = 2;
    one.sealed = sealed(2);
    one.connection_id = Some(world.connection.id.clone());
    put(subject, &one).await.unwrap();
    // A rotation that read version 1 comes too late.
    let mut late = one.clone();
    late.sealed = sealed(3);
    assert!(put(subject, &late).await.is_err());
    let found = store.secret(world.org(), &one.id).await.unwrap();
    assert_eq!(found, Some(one));
}

async fn a_secret_of_another_organizations_connection_is_refused(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    let theirs = World::stored(store).await;
    let stray = secret(ours.org(), Some(&theirs.connection.id), 1);
    assert!(put(subject, &stray).await.is_err());
    assert_eq!(store.secrets(ours.org()).await.unwrap(), []);
}

async fn a_rotation_finds_what_is_under_older_keys(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    let theirs = World::stored(store).await;
    let mut all = Vec::new();
    for key in [1, 2, 3, 1, 2] {
        for world in [&ours, &theirs] {
            let one = secret(world.org(), None, key);
            put(subject, &one).await.unwrap();
            all.push(one);
        }
    }
    let older: Vec<Secret> = all
        .iter()
        .filter(|one| one.sealed.key_version() < 3)
        .cloned()
        .collect();
    assert_eq!(
        store.secret_counts().await.unwrap(),
        [(1, 4), (2, 4), (3, 2)]
    );
    let mut found = Vec::new();
    loop {
        let after = found.last().map(|one: &Secret| one.id.clone());
        let batch = store.secrets_under(3, after.as_ref(), 3).await.unwrap();
        assert!(batch.len() <= 3);
        if batch.is_empty() {
            break;
        }
        found.extend(batch);
    }
    assert_eq!(found, older);
    assert_eq!(store.secrets_under(1, None, 9).await.unwrap(), []);
}

async fn a_deleted_secret_is_gone(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    let theirs = World::stored(store).await;
    let one = secret(ours.org(), None, 1);
    put(subject, &one).await.unwrap();
    let delete = |organization: &OrganizationId| Write::DeleteSecret {
        organization_id: organization.clone(),
        id: one.id.clone(),
    };
    store.commit(vec![delete(theirs.org())]).await.unwrap();
    assert_eq!(store.secrets(ours.org()).await.unwrap(), only(&one));
    for _ in 0..2 {
        store.commit(vec![delete(ours.org())]).await.unwrap();
        assert_eq!(store.secrets(ours.org()).await.unwrap(), []);
    }
    assert_eq!(store.secret_counts().await.unwrap(), []);
}

fn key(id: &str, millis: i64, state: State) -> SigningKey {
    SigningKey {
        id: id.into(),
        state,
        public_jwk: json!({ "kty": "RSA", "kid": id }),
        created_at: at(millis),
        version: 1,
    }
}

fn published() -> State {
    State::Published {
        since: at(0),
        private: sealed(1),
    }
}

async fn put_keys(subject: &Subject, keys: &[&SigningKey]) -> Result<(), StoreError> {
    let write = |key: &&SigningKey| Write::PutSigningKey((*key).clone());
    subject.store.commit(keys.iter().map(write).collect()).await
}

async fn signing_keys_are_read_back_oldest_first(subject: &Subject) {
    let retired = State::Retired { since: at(7) };
    let (old, older) = (key("b", 2, published()), key("c", 1, retired));
    put_keys(subject, &[&old, &older]).await.unwrap();
    let keys = subject.store.signing_keys().await.unwrap();
    assert_eq!(keys, [older, old]);
}

async fn one_key_signs_and_one_will(subject: &Subject) {
    let first = key("first", 1, published());
    let active = first.clone().activate_first(at(1)).unwrap();
    // A key may begin and be activated in one transaction.
    put_keys(subject, &[&first, &active]).await.unwrap();
    let second = key("second", 2, published());
    put_keys(subject, &[&second]).await.unwrap();

    // Another replica that begins the same rotation.
    let third = key("third", 3, published());
    let error = put_keys(subject, &[&third]).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");

    // The new one does not sign before the old one has stopped.
    let activated = second.activate_first(at(9)).unwrap();
    assert!(put_keys(subject, &[&activated]).await.is_err());
    let stopped = active.stop(at(9)).unwrap();
    put_keys(subject, &[&stopped, &activated]).await.unwrap();
    put_keys(subject, &[&third]).await.unwrap();
    let keys = subject.store.signing_keys().await.unwrap();
    assert_eq!(keys, [stopped, activated, third]);
}

async fn an_unreadable_record_is_reported(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let one = secret(world.org(), None, 1);
    put(subject, &one).await.unwrap();
    put_keys(subject, &[&key("k", 1, published())])
        .await
        .unwrap();
    // A secret in the clear where a sealed one should be.
    for table in ["secrets", "signing_keys"] {
        let damage = format!("UPDATE {table} SET body = replace(body, 'lf1.1.', 'hunter2')");
        assert_eq!(subject.raw(&damage).await.unwrap(), 1);
    }
    for error in [
        store.secret(world.org(), &one.id).await.unwrap_err(),
        store.signing_keys().await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
