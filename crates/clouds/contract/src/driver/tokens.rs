use super::{Harness, failure, finish, make, read, remove};
use crate::{Support, needs};
use landfall_model::driver::{FailureKind, OperationId, Status};

/// A call that is repeated after a crash is answered with the operation that
/// the first one started, while it runs and when it is over.
pub(super) async fn a_repeated_token_is_the_same_operation(harness: &dyn Harness) -> Support {
    let sample = harness.sample("replay");
    let driver = harness.driver();
    let token = harness.token();
    let first = driver
        .create(&sample.type_name, &sample.properties, &token)
        .await
        .expect("a sample can be created");
    let again = driver
        .create(&sample.type_name, &sample.properties, &token)
        .await
        .expect("and repeated");
    assert_eq!(again.operation, first.operation);
    assert_eq!(finish(harness, first).await.status, Status::Succeeded);
    let afterwards = driver
        .create(&sample.type_name, &sample.properties, &token)
        .await
        .expect("and repeated once more");
    assert_eq!(afterwards.operation, again.operation);
    assert_eq!(afterwards.status, Status::Succeeded);
    assert_eq!(
        afterwards.identifier.as_deref(),
        Some(sample.identifier.as_str())
    );

    let token = harness.token();
    let first = driver
        .delete(&sample.type_name, &sample.identifier, &token)
        .await
        .expect("a sample can be deleted");
    let again = driver
        .delete(&sample.type_name, &sample.identifier, &token)
        .await
        .expect("and that repeated");
    assert_eq!(again.operation, first.operation);
    assert_eq!(finish(harness, first).await.status, Status::Succeeded);
    Support::Done
}

pub(super) async fn a_token_is_for_one_request(harness: &dyn Harness) -> Support {
    let (one, other) = (harness.sample("token-one"), harness.sample("token-other"));
    let driver = harness.driver();
    let token = harness.token();
    let started = driver
        .create(&one.type_name, &one.properties, &token)
        .await
        .expect("a sample can be created");
    let refused = driver
        .create(&other.type_name, &other.properties, &token)
        .await
        .expect_err("another request with the same token");
    assert_eq!(refused.kind, FailureKind::Invalid, "{refused:?}");
    assert_eq!(finish(harness, started).await.status, Status::Succeeded);
    assert_eq!(read(harness, &other).await, None);
    remove(harness, &one).await;
    Support::Done
}

/// Why the engine never replays an old token: the cloud takes it for a new
/// request. On the way the session has run out too, which must not show.
pub(super) async fn an_outlived_token_is_a_new_request(harness: &dyn Harness) -> Support {
    let sample = harness.sample("outlived");
    let driver = harness.driver();
    let token = harness.token();
    let first = driver
        .create(&sample.type_name, &sample.properties, &token)
        .await
        .expect("a sample can be created");
    let first = finish(harness, first).await;
    needs!(harness.outlive_tokens().await);
    let answer = driver
        .create(&sample.type_name, &sample.properties, &token)
        .await;
    if let Ok(second) = &answer {
        assert_ne!(second.operation, first.operation);
    }
    let found = failure(harness, answer).await;
    assert_eq!(found.kind, FailureKind::AlreadyExists, "{found:?}");
    remove(harness, &sample).await;
    Support::Done
}

pub(super) async fn unknown_operations_are_forgotten(harness: &dyn Harness) -> Support {
    let unknown = OperationId("5f1d3c7e-0000-4000-8000-000000000000".to_owned());
    let found = harness
        .driver()
        .poll(&unknown)
        .await
        .expect_err("nobody started it");
    assert_eq!(found.kind, FailureKind::Forgotten, "{found:?}");
    Support::Done
}

pub(super) async fn a_second_change_in_flight_is_busy(harness: &dyn Harness) -> Support {
    let sample = harness.sample("busy");
    let driver = harness.driver();
    make(harness, &sample).await;
    let first = driver
        .update(
            &sample.type_name,
            &sample.identifier,
            &sample.patch,
            &harness.token(),
        )
        .await
        .expect("a sample can be changed");
    if !matches!(first.status, Status::Running { .. }) {
        // A target that ends every operation at once has none in flight.
        remove(harness, &sample).await;
        return Support::Missing;
    }
    let second = driver
        .delete(&sample.type_name, &sample.identifier, &harness.token())
        .await
        .expect_err("a change is in flight");
    assert_eq!(second.kind, FailureKind::Busy, "{second:?}");
    assert!(second.kind.is_retryable());
    assert_eq!(finish(harness, first).await.status, Status::Succeeded);
    remove(harness, &sample).await;
    Support::Done
}
