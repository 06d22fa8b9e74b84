//! Tokens and sessions are found by the hash of their secret.

use crate::{
    fixture::{self, World, at, only, secret},
    harness::{Subject, contract},
};
use landfall_model::{
    id::{SessionId, TokenId},
    session::Session,
    store::{StoreError, Write},
};

contract!(
    a_revoked_token_is_still_found_and_says_when,
    only_its_organization_revokes_a_token,
    a_secret_belongs_to_one_token,
    a_deleted_session_is_gone,
    signing_in_removes_sessions_that_ended,
);

async fn a_revoked_token_is_still_found_and_says_when(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let revoke = |at| Write::RevokeToken {
        organization_id: world.org().clone(),
        id: world.token.id.clone(),
        at,
    };
    store.commit(vec![revoke(at(5))]).await.unwrap();
    // Repeated: the first time stays.
    store.commit(vec![revoke(at(9))]).await.unwrap();

    let hash = secret(world.token.id.as_str());
    let found = store.token_by_secret(&hash).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(at(5)));
    assert!(!found.is_valid(at(6)));
    let listed = store.tokens(world.org()).await.unwrap();
    assert_eq!(listed, only(&found));
    assert_eq!(
        store.token(world.org(), &found.id).await.unwrap(),
        Some(found)
    );
    assert_eq!(
        store.token_by_secret(&secret("unknown")).await.unwrap(),
        None
    );
}

async fn only_its_organization_revokes_a_token(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    let theirs = World::stored(store).await;
    for id in [theirs.token.id.clone(), fixture::fresh!(TokenId)] {
        let revoke = Write::RevokeToken {
            organization_id: ours.org().clone(),
            id,
            at: at(5),
        };
        let error = store.commit(vec![revoke]).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Conflict { noun: "token", .. }),
            "{error:?}"
        );
    }
    let untouched = store.token(theirs.org(), &theirs.token.id).await.unwrap();
    assert_eq!(untouched, Some(theirs.token));
}

async fn a_secret_belongs_to_one_token(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let second = Write::InsertToken {
        token: fixture::token(&world.member),
        secret_hash: secret(world.token.id.as_str()),
    };
    let error = store.commit(vec![second]).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Conflict { noun: "token", .. }),
        "{error:?}"
    );
}

async fn a_deleted_session_is_gone(subject: &Subject) {
    let store = &*subject.store;
    let world = World::stored(store).await;
    let id = world.session.id.clone();
    let hash = secret(id.as_str());
    store
        .commit(vec![Write::DeleteSession { id: id.clone() }])
        .await
        .unwrap();
    assert_eq!(store.session_by_secret(&hash).await.unwrap(), None);
    // Signing out twice is no error.
    store
        .commit(vec![Write::DeleteSession { id }])
        .await
        .unwrap();
}

async fn signing_in_removes_sessions_that_ended(subject: &Subject) {
    let store = &*subject.store;
    let ours = World::stored(store).await;
    let theirs = World::stored(store).await;
    let sign_in = |created_at| {
        let session = Session {
            id: fixture::fresh!(SessionId),
            created_at,
            expires_at: at(100_000),
            ..ours.session.clone()
        };
        Write::InsertSession {
            secret_hash: secret(session.id.as_str()),
            session,
        }
    };
    let first = secret(ours.session.id.as_str());
    store.commit(vec![sign_in(at(999))]).await.unwrap();
    assert_eq!(
        store.session_by_secret(&first).await.unwrap(),
        Some(ours.session.clone())
    );
    store.commit(vec![sign_in(at(1_000))]).await.unwrap();
    assert_eq!(store.session_by_secret(&first).await.unwrap(), None);
    // Another organization's are its own business.
    let hash = secret(theirs.session.id.as_str());
    assert_eq!(
        store.session_by_secret(&hash).await.unwrap(),
        Some(theirs.session)
    );
}
