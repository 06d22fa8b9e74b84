//! The contract of [`Driver`](landfall_model::driver::Driver).

mod faults;
mod lifecycle;
mod tokens;

use crate::{Report, Support, cases};
use async_trait::async_trait;
use landfall_model::driver::{
    AttemptToken, Driver, Failure, Observed, PatchOperation, Progress, Status,
};
use serde_json::Value;
use std::sync::Arc;

/// A resource that the harness's identity may make.
#[derive(Clone, Debug)]
pub struct Sample {
    pub type_name: String,
    pub properties: Value,
    /// Known before it is made: its type takes a name.
    pub identifier: String,
    /// A change in place.
    pub patch: Vec<PatchOperation>,
    /// Where a read shows the change, and as what.
    pub patched: (String, Value),
    /// A change that the type refuses in place.
    pub create_only_patch: Vec<PatchOperation>,
    /// What `list` needs besides the type.
    pub scope: Option<Value>,
}

/// What may go wrong with the next mutation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Accepted and carried out, but the connection closes before the answer.
    AnswerLost,
    /// Not accepted: slow down.
    Throttled,
    /// A server error before anything was accepted.
    ServerError,
    /// The operation fails and leaves nothing behind.
    Fails,
    /// The operation fails, and what it made stays, under an identifier.
    FailsWithIdentifier,
}

/// The cloud behind a driver.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Named in the output.
    fn target(&self) -> &str;

    /// A driver that may create, change, list and delete samples.
    fn driver(&self) -> Arc<dyn Driver>;

    /// A sample of its own for every name.
    fn sample(&self, name: &str) -> Sample;

    /// A token that was not used before.
    fn token(&self) -> AttemptToken;

    /// Lets enough time pass for every running operation to end.
    async fn settle(&self);

    async fn inject(&self, fault: Fault) -> Support;

    /// Lets tokens and sessions run out.
    async fn outlive_tokens(&self) -> Support;
}

/// Runs every case. Panics at the first that does not hold.
pub async fn suite(harness: &dyn Harness) -> Report {
    cases!(
        harness,
        lifecycle::creates_reads_changes_lists_and_deletes,
        lifecycle::what_does_not_exist_is_none,
        lifecycle::deleting_what_is_gone_says_so,
        lifecycle::making_it_twice_says_so,
        lifecycle::refuses_what_it_does_not_know,
        lifecycle::refuses_create_only_changes,
        lifecycle::refuses_malformed_properties,
        tokens::a_repeated_token_is_the_same_operation,
        tokens::a_token_is_for_one_request,
        tokens::an_outlived_token_is_a_new_request,
        tokens::unknown_operations_are_forgotten,
        tokens::a_second_change_in_flight_is_busy,
        faults::a_lost_answer_is_unknown_and_its_token_finds_it,
        faults::a_throttled_call_did_nothing,
        faults::a_server_error_can_be_repeated,
        faults::a_failed_operation_leaves_nothing,
        faults::a_failed_operation_keeps_its_identifier,
    )
}

/// Polls until the operation is over.
async fn finish(harness: &dyn Harness, mut progress: Progress) -> Progress {
    let driver = harness.driver();
    for _ in 0..50 {
        if !matches!(progress.status, Status::Running { .. }) {
            return progress;
        }
        harness.settle().await;
        let next = driver
            .poll(&progress.operation)
            .await
            .expect("a running operation can be polled");
        assert_eq!(
            next.operation, progress.operation,
            "polling answers for the operation that was asked for"
        );
        assert!(
            progress.identifier.is_none() || next.identifier == progress.identifier,
            "an identifier, once said, stays"
        );
        progress = next;
    }
    panic!("the operation did not end: {progress:?}");
}

/// Makes a sample and returns its identifier.
async fn make(harness: &dyn Harness, sample: &Sample) -> String {
    let started = harness
        .driver()
        .create(&sample.type_name, &sample.properties, &harness.token())
        .await
        .expect("a sample can be created");
    let done = finish(harness, started).await;
    assert_eq!(done.status, Status::Succeeded);
    let identifier = done.identifier.expect("a created resource is named");
    assert_eq!(identifier, sample.identifier);
    identifier
}

async fn remove(harness: &dyn Harness, sample: &Sample) {
    let started = harness
        .driver()
        .delete(&sample.type_name, &sample.identifier, &harness.token())
        .await
        .expect("a sample can be deleted");
    assert_eq!(finish(harness, started).await.status, Status::Succeeded);
}

async fn read(harness: &dyn Harness, sample: &Sample) -> Option<Observed> {
    harness
        .driver()
        .read(&sample.type_name, &sample.identifier)
        .await
        .expect("a sample can be read")
}

/// The failure of a call or of the operation that it started.
async fn failure(harness: &dyn Harness, answer: Result<Progress, Failure>) -> Failure {
    let started = match answer {
        Err(failure) => return failure,
        Ok(started) => started,
    };
    match finish(harness, started).await.status {
        Status::Failed(failure) => failure,
        other => panic!("it should have failed, but is {other:?}"),
    }
}
