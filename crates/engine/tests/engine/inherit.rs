//! What an earlier rollout left open is settled by the next one.

use crate::support::{
    Bench, Landing,
    cloud::{Fault, Verb, failure},
    graphs::at,
};
use landfall_engine::{RunEnd, fold};
use landfall_model::{
    driver::FailureKind, journal::EventKind, plan::Change, retained::Reason, rollout::NodeState,
};
use serde_json::json;
use std::time::Duration;

/// A rollout that made an EIP, whose answers never came, and gave up.
fn abandoned(bench: &Bench) -> Landing {
    let mut builder = bench.builder();
    builder.tagged("network.address", "AWS::EC2::EIP", json!({}));
    let landing = bench.land(&builder, builder.creations());
    bench
        .cloud
        .fault(Verb::Create, "AWS::EC2::EIP", Fault::LoseAnswer);
    for _ in 0..30 {
        let fault = Fault::Refuse(failure(FailureKind::Unknown));
        bench.cloud.fault(Verb::Create, "AWS::EC2::EIP", fault);
        let fault = Fault::Refuse(failure(FailureKind::Denied));
        bench.cloud.fault(Verb::List, "AWS::EC2::EIP", fault);
    }
    let ended = bench.start(&landing, 0);
    assert!(matches!(ended, Some(RunEnd::Failed { .. })));
    assert!(bench.records().is_empty());
    bench.cloud.heal();
    landing
}

#[test]
fn a_lost_creation_becomes_the_next_plans_resource() {
    for hours in [0, 37] {
        let bench = Bench::new(70);
        let old = abandoned(&bench);
        bench.sim.clock.advance(Duration::from_secs(hours * 3600));
        let landing = bench.creation();
        assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
        bench.assert_landed(&landing);
        let states = fold(&old.plan, &bench.events(&old));
        assert!(matches!(
            states[&at("network.address")],
            NodeState::Done { .. }
        ));
    }
}

#[test]
fn a_lost_creation_that_nobody_wants_any_more_is_listed() {
    for hours in [0, 37] {
        let bench = Bench::new(71);
        abandoned(&bench);
        bench.sim.clock.advance(Duration::from_secs(hours * 3600));
        let mut builder = bench.builder();
        builder.tagged("jobs.queue", "AWS::SQS::Queue", json!({}));
        let landing = bench.land(&builder, builder.creations());
        assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
        bench.assert_landed(&landing);
        let [left] = bench.retained().try_into().unwrap();
        assert_eq!(left.type_name, "AWS::EC2::EIP");
        assert_eq!(left.reason, Reason::LeftBehind);
    }
}

#[test]
fn a_settled_attempt_is_not_settled_again() {
    let bench = Bench::new(72);
    let old = abandoned(&bench);
    bench.cloud.uproot_all("AWS::EC2::EIP");
    bench.sim.clock.advance(Duration::from_secs(37 * 3600));
    let mut builder = bench.builder();
    builder.tagged("jobs.queue", "AWS::SQS::Queue", json!({}));
    let landing = bench.land(&builder, builder.creations());
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    let story = bench.story(&old, "network.address");
    assert!(matches!(
        story.last(),
        Some(EventKind::AttemptFailed { .. })
    ));
    let lists = bench.cloud.requests(Verb::List).len();
    let identifier = bench.records()[&at("jobs.queue")].identifier.clone();
    let actions = vec![builder.action("jobs.queue", Change::NoChange { identifier })];
    let landing = bench.land(&builder, actions);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    assert_eq!(bench.cloud.requests(Verb::List).len(), lists);
}

#[test]
fn what_cannot_be_settled_fails_the_run_and_only_what_stands_on_it() {
    let bench = Bench::new(73);
    abandoned(&bench);
    bench.sim.clock.advance(Duration::from_secs(37 * 3600));
    for _ in 0..30 {
        let fault = Fault::Refuse(failure(FailureKind::Denied));
        bench.cloud.fault(Verb::List, "AWS::EC2::EIP", fault);
    }
    let landing = bench.creation();
    let Some(RunEnd::Failed { failed, .. }) = bench.start(&landing, 0) else {
        panic!("it fails");
    };
    assert_eq!(failed[&at("network.address")].kind, FailureKind::Denied);
    assert!(bench.records().contains_key(&at("db.instance")));
    bench.cloud.heal();
    bench.resume(&landing);
    bench.succeed(&landing);
    bench.assert_landed(&landing);
}

#[test]
fn a_forgotten_creation_that_may_still_be_at_work_is_not_made_twice() {
    const DATABASE: &str = "AWS::RDS::DBInstance";
    let bench = Bench::new(77);
    let land = || {
        let mut builder = bench.builder();
        let name = "DBInstanceIdentifier";
        builder.named("db.instance", DATABASE, name, json!({name: "landfall-db"}));
        bench.land(&builder, builder.creations())
    };
    let old = land();
    bench
        .cloud
        .fault(Verb::Create, DATABASE, Fault::ForgetOperation);
    let revoked = Fault::Refuse(failure(FailureKind::Unauthorized));
    bench.cloud.fault(Verb::Poll, DATABASE, revoked);
    let ended = bench.start(&old, 0);
    assert!(matches!(ended, Some(RunEnd::Failed { .. })));

    let landing = land();
    let Some(RunEnd::Failed { failed, .. }) = bench.start(&landing, 0) else {
        panic!("nobody knows yet");
    };
    assert_eq!(failed[&at("db.instance")].code, "OutcomeUnknown");
    let story = bench.story(&old, "db.instance");
    let closed = |kind: &EventKind| matches!(kind, EventKind::AttemptFailed { .. });
    assert!(!story.iter().any(closed), "{story:?}");

    bench.sim.clock.advance(Duration::from_secs(600));
    bench.resume(&landing);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    assert_eq!(bench.cloud.requests(Verb::Create).len(), 1);
}

#[test]
fn a_forgotten_creation_that_came_to_nothing_is_made_again_when_it_is_too_late_for_it() {
    let bench = Bench::new(78);
    let mut builder = bench.builder();
    builder.tagged("network.address", "AWS::EC2::EIP", json!({}));
    let old = bench.land(&builder, builder.creations());
    let fault = Fault::FailOperation {
        failure: failure(FailureKind::Unavailable),
        leaves: false,
    };
    bench.cloud.fault(Verb::Create, "AWS::EC2::EIP", fault);
    let revoked = Fault::Refuse(failure(FailureKind::Unauthorized));
    bench.cloud.fault(Verb::Poll, "AWS::EC2::EIP", revoked);
    assert!(matches!(bench.start(&old, 0), Some(RunEnd::Failed { .. })));
    bench.sim.clock.advance(Duration::from_secs(3600));
    let forgotten = Fault::Refuse(failure(FailureKind::Forgotten));
    bench.cloud.fault(Verb::Poll, "AWS::EC2::EIP", forgotten);
    let landing = bench.land(&builder, builder.creations());
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
}

/// A rollout whose creation of a bucket was accepted, and which was refused
/// before it could learn how that ended.
fn cut_off(bench: &Bench) -> Landing {
    let mut builder = bench.builder();
    builder.named(
        "files.bucket",
        BUCKET,
        "BucketName",
        json!({"BucketName": "landfall-files"}),
    );
    let landing = bench.land(&builder, builder.creations());
    for verb in [Verb::Poll, Verb::Read] {
        let revoked = Fault::Refuse(failure(FailureKind::Unauthorized));
        bench.cloud.fault(verb, BUCKET, revoked);
    }
    let ended = bench.start(&landing, 0);
    assert!(matches!(ended, Some(RunEnd::Failed { .. })));
    let story = bench.story(&landing, "files.bucket");
    assert!(
        story
            .iter()
            .any(|kind| matches!(kind, EventKind::Identified { .. })),
        "the cloud named it: {story:?}"
    );
    landing
}

const BUCKET: &str = "AWS::S3::Bucket";

/// The workload is gone from the next plan; a queue is wanted instead.
fn without_bucket(bench: &Bench) -> Landing {
    let mut builder = bench.builder();
    builder.tagged("jobs.queue", "AWS::SQS::Queue", json!({}));
    bench.land(&builder, builder.creations())
}

#[test]
fn a_name_that_was_somebody_elses_is_neither_recorded_nor_listed() {
    let accidents = [
        None,
        // The cloud is less clear about it.
        Some(failure(FailureKind::Denied)),
    ];
    for accident in accidents {
        let bench = Bench::new(74);
        let theirs = json!({"BucketName": "landfall-files"});
        bench.cloud.plant(BUCKET, "landfall-files", theirs, true);
        if let Some(failure) = accident {
            let fault = Fault::FailOperation {
                failure,
                leaves: false,
            };
            bench.cloud.fault(Verb::Create, BUCKET, fault);
        }
        let old = cut_off(&bench);
        assert!(bench.records().is_empty(), "nobody looked yet");
        let landing = without_bucket(&bench);
        assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
        assert_eq!(bench.retained(), vec![]);
        bench.assert_landed(&landing);
        let story = bench.story(&old, "files.bucket");
        let closed = story.last();
        assert!(
            matches!(closed, Some(EventKind::AttemptFailed { .. })),
            "{closed:?}"
        );
    }
}

#[test]
fn what_a_failed_attempt_left_under_its_name_is_listed_by_its_tags() {
    let bench = Bench::new(75);
    let fault = Fault::FailOperation {
        failure: failure(FailureKind::Denied),
        leaves: true,
    };
    bench.cloud.fault(Verb::Create, BUCKET, fault);
    cut_off(&bench);
    let landing = without_bucket(&bench);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    let [left] = bench.retained().try_into().unwrap();
    assert_eq!(left.identifier, "landfall-files");
    assert_eq!(left.reason, Reason::LeftBehind);
    bench.assert_landed(&landing);
}

#[test]
fn what_a_failed_attempt_left_without_naming_it_is_listed() {
    let bench = Bench::new(76);
    let mut builder = bench.builder();
    builder.tagged("network.address", "AWS::EC2::EIP", json!({}));
    let landing = bench.land(&builder, builder.creations());
    let unnamed = Fault::LeaveUnnamed(failure(FailureKind::Denied));
    bench.cloud.fault(Verb::Create, "AWS::EC2::EIP", unnamed);
    let revoked = Fault::Refuse(failure(FailureKind::Unauthorized));
    bench.cloud.fault(Verb::Poll, "AWS::EC2::EIP", revoked);
    let ended = bench.start(&landing, 0);
    assert!(matches!(ended, Some(RunEnd::Failed { .. })));
    assert!(bench.records().is_empty());
    let landing = without_bucket(&bench);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    let [left] = bench.retained().try_into().unwrap();
    assert_eq!(left.reason, Reason::LeftBehind);
    bench.assert_landed(&landing);
}
