//! Failed steps: what is repeated, what is not, and who is affected.

use crate::support::{
    Bench, Landing,
    cloud::{Fault, Verb, failure},
    graphs::at,
};
use landfall_engine::RunEnd;
use landfall_model::{
    driver::{Failure, FailureKind},
    journal::EventKind,
    rollout::{NodeState, State},
};
use serde_json::json;
use std::{collections::BTreeSet, sync::atomic::Ordering};

fn failing(kind: FailureKind, leaves: bool) -> Fault {
    Fault::FailOperation {
        failure: failure(kind),
        leaves,
    }
}

fn attempts(story: &[EventKind]) -> usize {
    let intents = story
        .iter()
        .filter(|kind| matches!(kind, EventKind::Intended { .. }));
    intents.count()
}

#[test]
fn a_failed_node_blocks_its_descendants_only_and_a_resume_does_the_rest() {
    let bench = Bench::new(20);
    let denied = Failure {
        action: Some("iam:CreateRole".into()),
        ..failure(FailureKind::Denied)
    };
    let fault = Fault::Refuse(denied.clone());
    bench.cloud.fault(Verb::Create, "AWS::IAM::Role", fault);
    let landing = bench.creation();
    let Some(RunEnd::Failed { failed, blocked }) = bench.start(&landing, 0) else {
        panic!("it fails");
    };
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[&at("web.role")], denied);
    assert_eq!(blocked, 2);
    assert!(matches!(
        bench.rollout(&landing).state,
        State::Failed {
            failed: 1,
            blocked: 2,
            ..
        }
    ));
    let states = landfall_engine::fold(&landing.plan, &bench.events(&landing));
    assert!(matches!(&states[&at("web.task")], NodeState::Blocked { by } if by == &at("web.role")));
    assert!(matches!(
        states[&at("web.service")],
        NodeState::Blocked { .. }
    ));
    assert!(matches!(states[&at("db.instance")], NodeState::Done { .. }));
    bench.assert_nothing_lost();

    let before = bench.cloud.requests(Verb::Create).len();
    bench.resume(&landing);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    assert_eq!(bench.cloud.requests(Verb::Create).len(), before + 3);
    assert_eq!(attempts(&bench.story(&landing, "web.role")), 2);
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again_with_the_same_token() {
    let bench = Bench::new(21);
    bench
        .cloud
        .fault(Verb::Create, "AWS::EC2::VPC", Fault::LoseAnswer);
    let landing = bench.creation();
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    let tokens: Vec<_> = bench
        .cloud
        .requests(Verb::Create)
        .into_iter()
        .filter(|request| request.type_name == "AWS::EC2::VPC")
        .map(|request| request.token)
        .collect();
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0], tokens[1]);
    assert_eq!(attempts(&bench.story(&landing, "network.vpc")), 1);
}

#[test]
fn a_failure_that_leaves_a_resource_is_completed_not_repeated() {
    let bench = Bench::new(22);
    let partial = Fault::LeavePartial {
        failure: failure(FailureKind::Unavailable),
        without: "Versioning".into(),
    };
    bench.cloud.fault(Verb::Create, "AWS::S3::Bucket", partial);
    bench.cloud.fault(
        Verb::Create,
        "AWS::EC2::EIP",
        failing(FailureKind::Throttled, true),
    );
    let landing = bench.creation();
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    let creations = |type_name: &str| {
        let requests = bench.cloud.requests(Verb::Create).into_iter();
        requests.filter(|one| one.type_name == type_name).count()
    };
    assert_eq!(creations("AWS::S3::Bucket"), 1);
    assert_eq!(creations("AWS::EC2::EIP"), 1);
    assert_eq!(bench.cloud.requests(Verb::Update).len(), 1);
}

#[test]
fn a_failure_that_leaves_a_resource_and_does_not_say_so_is_found() {
    let bench = Bench::new(35);
    for type_name in [
        "AWS::EC2::VPC",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::IAM::Role",
    ] {
        let fault = Fault::LeaveUnnamed(failure(FailureKind::Unavailable));
        bench.cloud.fault(Verb::Create, type_name, fault);
    }
    let landing = bench.creation();
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    let story = bench.story(&landing, "network.vpc");
    assert!(matches!(story.last(), Some(EventKind::Adopted { .. })));
}

#[test]
fn a_refused_creation_does_not_take_what_others_have_under_that_name() {
    let bench = Bench::new(36);
    let theirs = json!({"BucketName": "landfall-files"});
    bench
        .cloud
        .plant("AWS::S3::Bucket", "landfall-files", theirs, true);
    let refused = failing(FailureKind::Denied, false);
    bench.cloud.fault(Verb::Create, "AWS::S3::Bucket", refused);
    let landing = bench.creation();
    for kind in [FailureKind::Denied, FailureKind::AlreadyExists] {
        let Some(RunEnd::Failed { failed, .. }) = bench.start(&landing, 0) else {
            panic!("it fails");
        };
        // Denied before the name was looked at; then the name is taken.
        assert_eq!(failed[&at("files.bucket")].kind, kind);
        bench.assert_nothing_lost();
        bench.resume(&landing);
    }
    assert_eq!(bench.cloud.requests(Verb::Update).len(), 0);
}

const BUCKET: &str = "AWS::S3::Bucket";

fn bucket(bench: &Bench) -> Landing {
    let mut builder = bench.builder();
    let properties = json!({"BucketName": "landfall-files", "Versioning": "Enabled"});
    builder.named("files.bucket", BUCKET, "BucketName", properties);
    bench.land(&builder, builder.creations())
}

#[test]
fn a_name_that_was_refused_and_cannot_be_read_is_not_recorded() {
    for taken in [true, false] {
        let bench = Bench::new(39);
        if taken {
            let theirs = json!({"BucketName": "landfall-files"});
            bench.cloud.plant(BUCKET, "landfall-files", theirs, true);
        }
        let refused = failing(FailureKind::Denied, false);
        bench.cloud.fault(Verb::Create, BUCKET, refused);
        let unreadable = Fault::Refuse(failure(FailureKind::Denied));
        bench.cloud.fault(Verb::Read, BUCKET, unreadable);
        let landing = bucket(&bench);
        let ended = bench.start(&landing, 0);
        assert!(matches!(ended, Some(RunEnd::Failed { .. })), "{ended:?}");
        let story = bench.story(&landing, "files.bucket");
        let named = |kind: &EventKind| matches!(kind, EventKind::Identified { .. });
        assert!(story.iter().any(named), "the cloud named it: {story:?}");
        assert_eq!(bench.records().len(), 0, "taken: {taken}");
        bench.assert_nothing_lost();
    }
}

#[test]
fn what_was_seen_to_be_ours_is_recorded_although_it_cannot_be_read_any_more() {
    let bench = Bench::new(40);
    let partial = Fault::LeavePartial {
        failure: failure(FailureKind::Unavailable),
        without: "Versioning".into(),
    };
    bench.cloud.fault(Verb::Create, BUCKET, partial);
    let refused = failing(FailureKind::Denied, false);
    bench.cloud.fault(Verb::Update, BUCKET, refused);
    let unreadable = Fault::Refuse(failure(FailureKind::Denied));
    bench.cloud.fault_after(1, Verb::Read, BUCKET, unreadable);
    let landing = bucket(&bench);
    let ended = bench.start(&landing, 0);
    assert!(matches!(ended, Some(RunEnd::Failed { .. })), "{ended:?}");
    assert_eq!(bench.cloud.requests(Verb::Update).len(), 1);
    bench.assert_nothing_lost();
}

#[test]
fn a_failure_for_good_that_leaves_a_resource_records_it() {
    let bench = Bench::new(23);
    bench.cloud.fault(
        Verb::Create,
        "AWS::RDS::DBInstance",
        failing(FailureKind::Invalid, true),
    );
    let landing = bench.creation();
    assert!(matches!(
        bench.start(&landing, 0),
        Some(RunEnd::Failed { .. })
    ));
    bench.assert_nothing_lost();
    let record = &bench.records()[&at("db.instance")];
    assert_eq!(record.identifier, "landfall-db");
    assert!(record.stateful);
    // A resume brings what is there to what is wanted.
    bench.resume(&landing);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
}

#[test]
fn what_does_not_come_to_rest_is_no_success() {
    let bench = Bench::new(24);
    let unstable = Failure::new(
        FailureKind::Unavailable,
        "NotStabilized",
        "tasks keep stopping",
    );
    for verb in [Verb::Create, Verb::Update] {
        let fault = Fault::FailOperation {
            failure: unstable.clone(),
            leaves: true,
        };
        bench.cloud.fault(verb, "AWS::ECS::Service", fault);
    }
    let landing = bench.creation();
    for _ in 0..2 {
        let Some(RunEnd::Failed { failed, .. }) = bench.start(&landing, 0) else {
            panic!("it has every property and does not work");
        };
        assert_eq!(failed[&at("web.service")], unstable);
        bench.assert_nothing_lost();
        bench.resume(&landing);
    }
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    let creations = bench.cloud.requests(Verb::Create).into_iter();
    let services = creations.filter(|one| one.type_name == "AWS::ECS::Service");
    assert_eq!(services.count(), 1);
}

#[test]
fn what_has_not_settled_gets_new_attempts_for_minutes() {
    let bench = Bench::new(25);
    for _ in 0..9 {
        bench.cloud.fault(
            Verb::Create,
            "AWS::ECS::TaskDefinition",
            failing(FailureKind::NotSettled, false),
        );
    }
    let landing = bench.creation();
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    assert_eq!(attempts(&bench.story(&landing, "web.task")), 10);
}

#[test]
fn only_what_is_retryable_is_repeated_and_not_without_end() {
    let bench = Bench::new(26);
    for _ in 0..50 {
        bench.cloud.fault(
            Verb::Create,
            "AWS::EC2::EIP",
            failing(FailureKind::Unavailable, false),
        );
        bench.cloud.fault(
            Verb::Create,
            "AWS::IAM::Role",
            failing(FailureKind::Quota, false),
        );
    }
    let landing = bench.creation();
    assert!(matches!(
        bench.start(&landing, 0),
        Some(RunEnd::Failed { .. })
    ));
    assert_eq!(attempts(&bench.story(&landing, "web.role")), 1);
    assert_eq!(attempts(&bench.story(&landing, "network.address")), 4);
}

#[test]
fn a_throttle_storm_is_waited_out() {
    let bench = Bench::new(27);
    let landing = bench.creation();
    bench.cloud.throttle_for(5 * 60_000);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    // It asks seldom while the storm lasts: a dozen pauses per API, not
    // thousands of calls.
    let asked = bench.cloud.requests(Verb::Create).len();
    assert!(asked < 150, "{asked} calls");
}

#[test]
fn one_accounts_storm_does_not_delay_another_account() {
    let ours = Bench::new(37);
    let theirs = ours.beside(38);
    let engine = ours.engine();
    let start = |bench: &Bench| {
        let landing = bench.creation();
        let lease = bench.claim("rollout").unwrap();
        let rollout = bench.rollout(&landing);
        (landing, lease, rollout)
    };
    let (our_landing, our_lease, our_rollout) = start(&ours);
    let (their_landing, their_lease, their_rollout) = start(&theirs);
    theirs.cloud.throttle_for(14 * 60_000);
    theirs.cloud.trouble.store(20, Ordering::SeqCst);
    let began = ours.now();
    let timed = async {
        let ended = ours
            .work(&engine, &our_landing, our_lease, our_rollout)
            .await;
        (ended, ours.now().millis_since(began))
    };
    let stormy = theirs.work(&engine, &their_landing, their_lease, their_rollout);
    let ((ended, took), _) = ours
        .sim
        .drive(futures::future::join(timed, stormy))
        .unwrap();
    assert_eq!(ended.unwrap(), RunEnd::Succeeded);
    assert!(took < 500_000, "{took} ms, as if alone");
    assert!(theirs.now().millis_since(began) > 14 * 60_000);
}

#[test]
fn one_call_in_ten_in_trouble_is_only_slower() {
    let bench = Bench::new(28);
    bench.cloud.trouble.store(10, Ordering::SeqCst);
    let landing = bench.creation();
    bench.succeed(&landing);
    bench.assert_landed(&landing);
}

#[test]
fn refused_credentials_stop_the_run_without_endless_calls() {
    let bench = Bench::new(29);
    let landing = bench.creation();
    bench.cloud.refuse_credentials(true);
    let Some(RunEnd::Failed { failed, .. }) = bench.start(&landing, 0) else {
        panic!("it fails");
    };
    assert!(
        failed
            .values()
            .all(|one| one.kind == FailureKind::Unauthorized)
    );
    let asked = bench.cloud.requests(Verb::Create).len();
    assert!(asked <= 8, "{asked} calls");
    bench.cloud.refuse_credentials(false);
    bench.resume(&landing);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
}

#[test]
fn a_grant_taken_back_half_way_leaves_operations_to_be_polled_after_a_resume() {
    let bench = Bench::new(30);
    let landing = bench.creation();
    let engine = bench.engine();
    let lease = bench.claim("rollout").unwrap();
    let rollout = bench.rollout(&landing);
    let refuse = async {
        landfall_model::Clock::sleep(
            bench.sim.clock.as_ref(),
            std::time::Duration::from_secs(100),
        )
        .await;
        bench.cloud.refuse_credentials(true);
    };
    let both = futures::future::join(bench.work(&engine, &landing, lease, rollout), refuse);
    let (ended, ()) = bench.sim.drive(both).unwrap();
    assert!(matches!(ended, Ok(RunEnd::Failed { .. })));
    let created = bench.cloud.requests(Verb::Create);
    bench.cloud.refuse_credentials(false);
    bench.resume(&landing);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    let again: BTreeSet<_> = bench.cloud.requests(Verb::Create)[created.len()..]
        .iter()
        .map(|request| request.type_name.clone())
        .collect();
    assert!(!again.contains("AWS::RDS::DBInstance"), "{again:?}");
}

#[test]
fn an_operation_that_never_ends_fails_the_run_and_stays_to_be_polled() {
    let bench = Bench::new(31);
    bench
        .cloud
        .fault(Verb::Create, "AWS::EC2::NatGateway", Fault::NeverEnds);
    let landing = bench.creation();
    let Some(RunEnd::Failed { failed, .. }) = bench.start(&landing, 0) else {
        panic!("it fails");
    };
    assert_eq!(failed[&at("network.nat")].code, "OperationNeverEnded");
    // It exists and is not forgotten.
    bench.assert_nothing_lost();
    let creations = bench.cloud.requests(Verb::Create).len();
    bench.resume(&landing);
    assert!(matches!(
        bench.start(&landing, 0),
        Some(RunEnd::Failed { .. })
    ));
    assert_eq!(bench.cloud.requests(Verb::Create).len(), creations);
}

#[test]
fn a_forgotten_operation_is_looked_for() {
    let bench = Bench::new(32);
    for type_name in ["AWS::EC2::VPC", "AWS::RDS::DBInstance", "AWS::ECS::Service"] {
        bench
            .cloud
            .fault(Verb::Create, type_name, Fault::ForgetOperation);
    }
    let landing = bench.creation();
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
}

#[test]
fn an_operation_that_was_accepted_late_is_new_all_the_same() {
    let bench = Bench::new(41);
    let mut builder = bench.builder();
    builder.tagged("network.address", "AWS::EC2::EIP", json!({}));
    let landing = bench.land(&builder, builder.creations());
    bench.cloud.throttle_for(60_000);
    let unknown = Fault::Refuse(failure(FailureKind::Forgotten));
    bench.cloud.fault(Verb::Poll, "AWS::EC2::EIP", unknown);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    let story = bench.story(&landing, "network.address");
    let given_up = |kind: &EventKind| matches!(kind, EventKind::AttemptFailed { .. });
    assert!(!story.iter().any(given_up), "{story:?}");
}

#[test]
fn a_lost_update_is_compared_before_it_is_repeated() {
    let bench = Bench::new(33);
    let landing = bench.second();
    bench
        .cloud
        .fault(Verb::Update, "AWS::S3::Bucket", Fault::ForgetOperation);
    bench.cloud.fault(
        Verb::Update,
        "AWS::ECS::Service",
        failing(FailureKind::Unavailable, true),
    );
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    let updates = bench.cloud.requests(Verb::Update).into_iter();
    let services = updates.filter(|one| one.type_name == "AWS::ECS::Service");
    assert_eq!(services.count(), 1, "it had been applied");
}

#[test]
fn what_is_to_be_updated_and_is_gone_asks_for_a_new_plan() {
    let bench = Bench::new(34);
    let landing = bench.second();
    bench.cloud.uproot("AWS::S3::Bucket", "landfall-files");
    let Some(RunEnd::Failed { failed, .. }) = bench.start(&landing, 0) else {
        panic!("it fails");
    };
    assert_eq!(failed[&at("files.bucket")].kind, FailureKind::NotFound);
    let creations = bench.cloud.requests(Verb::Create).into_iter();
    let buckets = creations.filter(|one| one.type_name == "AWS::S3::Bucket");
    assert_eq!(buckets.count(), 1, "only the first");
}
