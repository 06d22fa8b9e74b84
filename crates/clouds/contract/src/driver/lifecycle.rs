use super::{Harness, failure, finish, make, read, remove};
use crate::Support;
use landfall_model::driver::{FailureKind, PatchOperation, Status};
use serde_json::{Value, json};

pub(super) async fn creates_reads_changes_lists_and_deletes(harness: &dyn Harness) -> Support {
    let sample = harness.sample("lifecycle");
    let driver = harness.driver();
    let identifier = make(harness, &sample).await;

    let found = read(harness, &sample).await.expect("it exists now");
    assert_eq!(found.identifier, identifier);
    for (name, wanted) in sample.properties.as_object().expect("properties") {
        // Lists of tags come back in any order.
        if !wanted.is_array() {
            assert_eq!(found.properties.get(name), Some(wanted), "{name}");
        }
    }

    let started = driver
        .update(
            &sample.type_name,
            &identifier,
            &sample.patch,
            &harness.token(),
        )
        .await
        .expect("a sample can be changed");
    let done = finish(harness, started).await;
    assert_eq!(done.status, Status::Succeeded);
    assert_eq!(done.identifier.as_deref(), Some(identifier.as_str()));
    let found = read(harness, &sample).await.expect("it still exists");
    let (pointer, wanted) = &sample.patched;
    assert_eq!(found.properties.pointer(pointer), Some(wanted));

    let listed = driver
        .list(&sample.type_name, sample.scope.as_ref())
        .await
        .expect("samples can be listed");
    assert_eq!(
        listed
            .iter()
            .filter(|one| one.identifier == identifier)
            .count(),
        1
    );

    remove(harness, &sample).await;
    assert_eq!(read(harness, &sample).await, None);
    let listed = driver
        .list(&sample.type_name, sample.scope.as_ref())
        .await
        .expect("samples can be listed");
    assert!(listed.iter().all(|one| one.identifier != identifier));
    Support::Done
}

pub(super) async fn what_does_not_exist_is_none(harness: &dyn Harness) -> Support {
    let sample = harness.sample("never-made");
    assert_eq!(read(harness, &sample).await, None);
    let found = failure(
        harness,
        harness
            .driver()
            .update(
                &sample.type_name,
                &sample.identifier,
                &sample.patch,
                &harness.token(),
            )
            .await,
    )
    .await;
    assert_eq!(found.kind, FailureKind::NotFound, "{found:?}");
    Support::Done
}

/// What a destruction that was interrupted after its end meets.
pub(super) async fn deleting_what_is_gone_says_so(harness: &dyn Harness) -> Support {
    let sample = harness.sample("gone");
    make(harness, &sample).await;
    remove(harness, &sample).await;
    let answer = harness
        .driver()
        .delete(&sample.type_name, &sample.identifier, &harness.token())
        .await;
    let found = failure(harness, answer).await;
    assert_eq!(found.kind, FailureKind::NotFound, "{found:?}");
    Support::Done
}

pub(super) async fn making_it_twice_says_so(harness: &dyn Harness) -> Support {
    let sample = harness.sample("twice");
    make(harness, &sample).await;
    let answer = harness
        .driver()
        .create(&sample.type_name, &sample.properties, &harness.token())
        .await;
    let found = failure(harness, answer).await;
    assert_eq!(found.kind, FailureKind::AlreadyExists, "{found:?}");
    assert!(read(harness, &sample).await.is_some());
    remove(harness, &sample).await;
    Support::Done
}

pub(super) async fn refuses_what_it_does_not_know(harness: &dyn Harness) -> Support {
    let answer = harness
        .driver()
        .create("AWS::Landfall::Nothing", &json!({}), &harness.token())
        .await;
    let found = failure(harness, answer).await;
    assert_eq!(found.kind, FailureKind::Invalid, "{found:?}");
    assert!(!found.message.is_empty());
    Support::Done
}

pub(super) async fn refuses_create_only_changes(harness: &dyn Harness) -> Support {
    let sample = harness.sample("create-only");
    make(harness, &sample).await;
    let answer = harness
        .driver()
        .update(
            &sample.type_name,
            &sample.identifier,
            &sample.create_only_patch,
            &harness.token(),
        )
        .await;
    let found = failure(harness, answer).await;
    assert_eq!(found.kind, FailureKind::Invalid, "{found:?}");
    remove(harness, &sample).await;
    Support::Done
}

pub(super) async fn refuses_malformed_properties(harness: &dyn Harness) -> Support {
    let sample = harness.sample("malformed");
    let mut properties = sample.properties.clone();
    properties["ThereIsNoSuchProperty"] = Value::Bool(true);
    let answer = harness
        .driver()
        .create(&sample.type_name, &properties, &harness.token())
        .await;
    let found = failure(harness, answer).await;
    assert_eq!(found.kind, FailureKind::Invalid, "{found:?}");
    assert_eq!(read(harness, &sample).await, None);

    make(harness, &sample).await;
    let nowhere = [PatchOperation::Replace {
        path: "/ThereIsNoSuchProperty/At/All".to_owned(),
        value: Value::Null,
    }];
    let answer = harness
        .driver()
        .update(
            &sample.type_name,
            &sample.identifier,
            &nowhere,
            &harness.token(),
        )
        .await;
    let found = failure(harness, answer).await;
    assert_eq!(found.kind, FailureKind::Invalid, "{found:?}");
    remove(harness, &sample).await;
    Support::Done
}
