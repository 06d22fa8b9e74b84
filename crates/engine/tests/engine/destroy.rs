//! Destruction: approved, journaled, confirmed.

use crate::support::{
    Bench, LEASE,
    cloud::{Fault, Verb, failure},
};
use landfall_engine::DestroyEnd;
use landfall_model::{
    driver::FailureKind,
    id::RetainedId,
    journal::{EventKind, Stream},
    retained::{Retained, State},
};
use serde_json::{Value, json};
use std::time::Duration;

const DATABASE: &str = "AWS::RDS::DBInstance";

fn retained(bench: &Bench, type_name: &str, properties: Value) -> RetainedId {
    bench.cloud.plant(type_name, "old", properties, false);
    bench.approve_destruction(type_name, "old")
}

fn database(bench: &Bench) -> RetainedId {
    let properties = json!({"DBInstanceIdentifier": "old", "DeletionProtection": true});
    retained(bench, DATABASE, properties)
}

fn stream(retained: &Retained) -> Stream {
    match &retained.state {
        State::Destroying { destruction_id, .. }
        | State::DestructionFailed { destruction_id, .. }
        | State::Destroyed { destruction_id, .. } => Stream::Destruction(destruction_id.clone()),
        other => panic!("{other:?}"),
    }
}

fn assert_destroyed(bench: &Bench, id: &RetainedId) {
    let retained = bench.retained_one(id);
    assert!(matches!(retained.state, State::Destroyed { .. }));
    assert!(bench.cloud.inventory().is_empty());
    bench.assert_journal(stream(&retained));
    assert_eq!(bench.memory.as_ref().unwrap().open_work(), 0);
}

#[test]
fn protection_is_switched_off_and_absence_is_read() {
    let bench = Bench::new(80);
    let id = database(&bench);
    assert_eq!(bench.reap(&id, 0), Some(DestroyEnd::Destroyed));
    assert_destroyed(&bench, &id);
    let events = bench.events_of(stream(&bench.retained_one(&id)));
    assert!(
        events
            .iter()
            .any(|event| matches!(event.kind, EventKind::Destroyed { .. }))
    );
    assert_eq!(bench.cloud.requests(Verb::Update).len(), 1);
    assert!(bench.cloud.requests(Verb::Create).is_empty());
}

#[test]
fn killed_at_every_crossing() {
    sweep(&[]);
}

#[test]
fn killed_at_every_crossing_while_answers_are_lost() {
    sweep(&[Verb::Delete]);
    sweep(&[Verb::Update, Verb::Delete, Verb::Delete]);
}

/// Kills at each crossing in turn; the answers to `lost` never arrive.
fn sweep(lost: &[Verb]) {
    let prepare = || {
        let bench = Bench::new(81);
        for verb in lost {
            bench.cloud.fault(*verb, DATABASE, Fault::LoseAnswer);
        }
        let id = database(&bench);
        (bench, id)
    };
    let crossings = {
        let (bench, id) = prepare();
        bench.reap(&id, u64::MAX);
        bench.sim.killer.crossed()
    };
    for hours in [0, 25, 37] {
        for kill in 1..=crossings {
            let (bench, id) = prepare();
            assert_eq!(bench.reap(&id, kill), None, "crossing {kill}");
            bench.sim.clock.advance(LEASE + Duration::from_secs(1));
            bench.sim.clock.advance(Duration::from_secs(hours * 3600));
            if bench.memory.as_ref().unwrap().open_work() > 0 {
                assert_eq!(bench.reap(&id, 0), Some(DestroyEnd::Destroyed));
            }
            assert_destroyed(&bench, &id);
        }
    }
}

#[test]
fn accidents_on_the_way_do_not_matter() {
    let bench = Bench::new(82);
    let id = database(&bench);
    bench.cloud.fault(Verb::Update, DATABASE, Fault::LoseAnswer);
    bench
        .cloud
        .fault(Verb::Delete, DATABASE, Fault::ForgetOperation);
    bench.cloud.fault(
        Verb::Delete,
        DATABASE,
        Fault::Refuse(failure(FailureKind::Throttled)),
    );
    assert_eq!(bench.reap(&id, 0), Some(DestroyEnd::Destroyed));
    assert_destroyed(&bench, &id);
}

#[test]
fn a_deletion_whose_answer_is_lost_is_asked_for_again_with_its_token() {
    let bench = Bench::new(88);
    let id = database(&bench);
    bench.cloud.fault(Verb::Delete, DATABASE, Fault::LoseAnswer);
    assert_eq!(bench.reap(&id, 0), Some(DestroyEnd::Destroyed));
    assert_destroyed(&bench, &id);
    let [first, again] = bench.cloud.requests(Verb::Delete).try_into().unwrap();
    assert_eq!(first.token, again.token, "one request, however often");
}

#[test]
fn what_is_gone_already_needs_no_call() {
    let bench = Bench::new(83);
    let id = bench.approve_destruction(DATABASE, "old");
    assert_eq!(bench.reap(&id, 0), Some(DestroyEnd::Destroyed));
    assert_destroyed(&bench, &id);
    assert!(bench.cloud.requests(Verb::Delete).is_empty());
}

#[test]
fn one_odd_answer_does_not_make_it_gone() {
    let bench = Bench::new(87);
    let id = database(&bench);
    bench.cloud.fault(Verb::Read, DATABASE, Fault::Overlook);
    assert_eq!(bench.reap(&id, 0), Some(DestroyEnd::Destroyed));
    assert_destroyed(&bench, &id);
    assert_eq!(bench.cloud.requests(Verb::Delete).len(), 1);
}

#[test]
fn a_bucket_with_objects_says_what_to_do_and_stays_retained() {
    let bench = Bench::new(84);
    let properties = json!({"BucketName": "old", "Objects": 3});
    let id = retained(&bench, "AWS::S3::Bucket", properties);
    let Some(DestroyEnd::Failed(failure)) = bench.reap(&id, 0) else {
        panic!("it fails");
    };
    assert_eq!(failure.kind, FailureKind::InUse);
    assert!(failure.message.contains("empty it first"), "{failure}");
    let retained = bench.retained_one(&id);
    assert!(matches!(retained.state, State::DestructionFailed { .. }));
    assert!(retained.state.is_open());
    assert_eq!(bench.cloud.inventory().len(), 1);
    assert_eq!(bench.cloud.requests(Verb::Delete).len(), 1);
    assert_eq!(bench.memory.as_ref().unwrap().open_work(), 0);
}

#[test]
fn what_came_into_use_again_is_not_destroyed() {
    let bench = Bench::new(85);
    let landing = bench.creation();
    bench.start(&landing, 0);
    let id = bench.approve_destruction("AWS::S3::Bucket", "landfall-files");
    let Some(DestroyEnd::Failed(failure)) = bench.reap(&id, 0) else {
        panic!("it fails");
    };
    assert_eq!(failure.code, "InUseAgain");
    assert!(bench.cloud.requests(Verb::Delete).is_empty());
}

#[test]
fn a_reaper_that_is_refused_says_so() {
    let bench = Bench::new(86);
    let id = database(&bench);
    let denied = Fault::Refuse(failure(FailureKind::Denied));
    bench.cloud.fault(Verb::Update, DATABASE, denied);
    let Some(DestroyEnd::Failed(failure)) = bench.reap(&id, 0) else {
        panic!("it fails");
    };
    assert!(failure.message.contains("reaper"), "{failure}");
    assert_eq!(bench.cloud.inventory().len(), 1);
}
