use super::{Fault, Harness, failure, finish, read, remove};
use crate::{Support, needs};
use landfall_model::driver::{FailureKind, Status};

/// The crash window that tokens are for: accepted, but nobody heard it.
pub(super) async fn a_lost_answer_is_unknown_and_its_token_finds_it(
    harness: &dyn Harness,
) -> Support {
    let sample = harness.sample("lost-answer");
    let driver = harness.driver();
    needs!(harness.inject(Fault::AnswerLost).await);
    let token = harness.token();
    let lost = driver
        .create(&sample.type_name, &sample.properties, &token)
        .await
        .expect_err("the answer was lost");
    assert_eq!(lost.kind, FailureKind::Unknown, "{lost:?}");
    assert!(lost.kind.is_retryable());
    // Without the same token this would be AlreadyExists, or a second one.
    let found = driver
        .create(&sample.type_name, &sample.properties, &token)
        .await
        .expect("the same token finds the operation");
    assert_eq!(finish(harness, found).await.status, Status::Succeeded);
    remove(harness, &sample).await;
    Support::Done
}

pub(super) async fn a_throttled_call_did_nothing(harness: &dyn Harness) -> Support {
    let sample = harness.sample("throttled");
    let driver = harness.driver();
    needs!(harness.inject(Fault::Throttled).await);
    let token = harness.token();
    let throttled = driver
        .create(&sample.type_name, &sample.properties, &token)
        .await
        .expect_err("throttled, and not retried in secret");
    assert_eq!(throttled.kind, FailureKind::Throttled, "{throttled:?}");
    assert_eq!(read(harness, &sample).await, None);
    let started = driver
        .create(&sample.type_name, &sample.properties, &token)
        .await
        .expect("it can be repeated as it is");
    assert_eq!(finish(harness, started).await.status, Status::Succeeded);
    remove(harness, &sample).await;
    Support::Done
}

pub(super) async fn a_server_error_can_be_repeated(harness: &dyn Harness) -> Support {
    let sample = harness.sample("server-error");
    let driver = harness.driver();
    needs!(harness.inject(Fault::ServerError).await);
    let token = harness.token();
    let broken = driver
        .create(&sample.type_name, &sample.properties, &token)
        .await
        .expect_err("a server error");
    assert!(
        matches!(broken.kind, FailureKind::Unknown | FailureKind::Unavailable),
        "{broken:?}"
    );
    let started = driver
        .create(&sample.type_name, &sample.properties, &token)
        .await
        .expect("it can be repeated as it is");
    assert_eq!(finish(harness, started).await.status, Status::Succeeded);
    remove(harness, &sample).await;
    Support::Done
}

pub(super) async fn a_failed_operation_leaves_nothing(harness: &dyn Harness) -> Support {
    let sample = harness.sample("fails");
    needs!(harness.inject(Fault::Fails).await);
    let answer = harness
        .driver()
        .create(&sample.type_name, &sample.properties, &harness.token())
        .await;
    let found = failure(harness, answer).await;
    assert!(!found.message.is_empty(), "{found:?}");
    assert_eq!(read(harness, &sample).await, None);
    Support::Done
}

/// The identifier of a failed operation is all that keeps its remains from
/// being orphaned.
pub(super) async fn a_failed_operation_keeps_its_identifier(harness: &dyn Harness) -> Support {
    let sample = harness.sample("fails-with-identifier");
    needs!(harness.inject(Fault::FailsWithIdentifier).await);
    let started = harness
        .driver()
        .create(&sample.type_name, &sample.properties, &harness.token())
        .await
        .expect("accepted first");
    let ended = finish(harness, started).await;
    assert!(matches!(ended.status, Status::Failed(_)), "{ended:?}");
    assert_eq!(
        ended.identifier.as_deref(),
        Some(sample.identifier.as_str())
    );
    assert!(read(harness, &sample).await.is_some());
    remove(harness, &sample).await;
    Support::Done
}
