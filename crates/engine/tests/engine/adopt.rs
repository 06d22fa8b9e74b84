//! What exists already: ours is adopted, others' is left alone.

use crate::support::{Bench, cloud::Verb, graphs::at};
use landfall_engine::RunEnd;
use landfall_model::{
    driver::FailureKind,
    journal::EventKind,
    plan::Change,
    retained::{Reason, State},
    store::Write,
};
use serde_json::json;

#[test]
fn a_name_that_is_taken_by_us_is_adopted_and_brought_to_what_is_wanted() {
    let bench = Bench::new(40);
    let builder = bench.builder();
    let ours = json!({
        "BucketName": "landfall-files",
        "Versioning": "off",
        "Tags": builder.tags("files.bucket"),
        "Theirs": "stays",
    });
    bench
        .cloud
        .plant("AWS::S3::Bucket", "landfall-files", ours, false);
    let landing = bench.creation();
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    let key = ("AWS::S3::Bucket".to_owned(), "landfall-files".to_owned());
    let held = &bench.cloud.inventory()[&key];
    assert_eq!(held.properties["Versioning"], "on");
    assert_eq!(held.properties["Theirs"], "stays");
}

#[test]
fn a_name_that_is_taken_by_others_fails_clearly_and_is_not_touched() {
    let bench = Bench::new(41);
    let theirs = json!({"BucketName": "landfall-files", "Versioning": "off"});
    bench
        .cloud
        .plant("AWS::S3::Bucket", "landfall-files", theirs.clone(), true);
    let landing = bench.creation();
    let Some(RunEnd::Failed { failed, .. }) = bench.start(&landing, 0) else {
        panic!("it fails");
    };
    let failure = &failed[&at("files.bucket")];
    assert_eq!(failure.kind, FailureKind::AlreadyExists);
    assert!(failure.message.contains("landfall-files"), "{failure}");
    let key = ("AWS::S3::Bucket".to_owned(), "landfall-files".to_owned());
    assert_eq!(bench.cloud.inventory()[&key].properties, theirs);
    bench.assert_nothing_lost();
}

#[test]
fn a_name_that_is_taken_where_we_cannot_see_fails_clearly() {
    let bench = Bench::new(42);
    // The balancer's identifier is an ARN, so others' is not found by tags.
    let theirs = json!({"Name": "landfall-web"});
    bench.cloud.plant(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "theirs",
        theirs,
        true,
    );
    let landing = bench.creation();
    let Some(RunEnd::Failed { failed, .. }) = bench.start(&landing, 0) else {
        panic!("it fails");
    };
    let failure = &failed[&at("web.balancer")];
    assert_eq!(failure.kind, FailureKind::AlreadyExists);
    assert!(failure.message.contains("is taken"), "{failure}");
}

#[test]
fn what_is_wanted_again_leaves_the_retained_list() {
    let bench = Bench::new(43);
    let first = bench.second();
    bench.start(&first, 0);
    let nat = bench
        .retained()
        .into_iter()
        .find(|one| one.type_name == "AWS::EC2::NatGateway")
        .unwrap();
    assert_eq!(nat.reason, Reason::NoLongerWanted);
    let mut builder = bench.builder();
    builder.graph = first.plan.graph.clone();
    let mut before = bench.builder();
    before.landscape();
    let node = before.graph.nodes.remove(&at("network.nat")).unwrap();
    builder.graph.nodes.insert(at("network.nat"), node);
    let records = bench.records();
    let actions = builder
        .graph
        .nodes
        .keys()
        .map(|address| {
            let change = match records.get(address) {
                Some(record) => Change::NoChange {
                    identifier: record.identifier.clone(),
                },
                None => Change::Adopt {
                    identifier: nat.identifier.clone(),
                    patch: vec![],
                },
            };
            builder.action(address.as_str(), change)
        })
        .collect();
    let second = bench.land(&builder, actions);
    assert_eq!(bench.start(&second, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&second);
    assert!(matches!(
        bench.retained_one(&nat.id).state,
        State::Forgotten { .. }
    ));
}

#[test]
fn what_is_being_destroyed_is_not_adopted() {
    let bench = Bench::new(44);
    let mut builder = bench.builder();
    builder.named(
        "web.logs",
        "AWS::Logs::LogGroup",
        "LogGroupName",
        json!({"LogGroupName": "landfall-logs"}),
    );
    let ours = json!({"LogGroupName": "landfall-logs", "Tags": builder.tags("web.logs")});
    bench
        .cloud
        .plant("AWS::Logs::LogGroup", "landfall-logs", ours, false);
    bench.approve_destruction("AWS::Logs::LogGroup", "landfall-logs");
    let change = Change::Adopt {
        identifier: "landfall-logs".into(),
        patch: vec![],
    };
    let actions = vec![builder.action("web.logs", change)];
    let landing = bench.land(&builder, actions);
    let Some(RunEnd::Failed { failed, .. }) = bench.start(&landing, 0) else {
        panic!("it fails");
    };
    assert_eq!(failed[&at("web.logs")].code, "BeingDestroyed");
}

#[test]
fn what_is_gone_is_made_again_and_not_listed_as_retained() {
    let bench = Bench::new(45);
    let first = bench.creation();
    bench.start(&first, 0);
    let queue = bench.records()[&at("network.vpc")].identifier.clone();
    bench.cloud.uproot("AWS::EC2::VPC", &queue);
    let mut builder = bench.builder();
    builder.graph = first.plan.graph.clone();
    let records = bench.records();
    let actions = builder
        .graph
        .nodes
        .values()
        .map(|node| {
            let change = if node.address == at("network.vpc") {
                Change::Create {
                    properties: node.properties.clone(),
                    lost: Some(queue.clone()),
                }
            } else {
                Change::NoChange {
                    identifier: records[&node.address].identifier.clone(),
                }
            };
            builder.action(node.address.as_str(), change)
        })
        .collect();
    let second = bench.land(&builder, actions);
    assert_eq!(bench.start(&second, 0), Some(RunEnd::Succeeded));
    bench.assert_nothing_lost();
    assert!(bench.retained().is_empty());
    assert_ne!(bench.records()[&at("network.vpc")].identifier, queue);
}

#[test]
fn a_recorded_resource_is_never_made_twice_whatever_the_plan_says() {
    let bench = Bench::new(46);
    let first = bench.creation();
    bench.start(&first, 0);
    let before = bench.cloud.inventory().len();
    // An old plan, made before anything was recorded.
    let second = bench.creation();
    assert_eq!(bench.start(&second, 0), Some(RunEnd::Succeeded));
    assert_eq!(bench.cloud.inventory().len(), before);
    bench.assert_landed(&second);
    let adopted = bench.story(&second, "network.vpc");
    assert!(matches!(adopted.as_slice(), [EventKind::Adopted { .. }]));
    assert_eq!(bench.cloud.requests(Verb::Update).len(), 0);
}

#[test]
fn a_fixed_difference_of_what_exists_asks_for_a_new_plan() {
    let bench = Bench::new(47);
    let first = bench.creation();
    bench.start(&first, 0);
    let mut record = bench.records().remove(&at("web.role")).unwrap();
    record.identifier = "landfall-other".into();
    let other = json!({"RoleName": "landfall-other", "Path": "/"});
    bench
        .cloud
        .plant("AWS::IAM::Role", "landfall-other", other, false);
    bench.put(vec![Write::PutResource(record)]);
    let second = bench.creation();
    let Some(RunEnd::Failed { failed, .. }) = bench.start(&second, 0) else {
        panic!("it fails");
    };
    let failure = &failed[&at("web.role")];
    assert_eq!(failure.code, "CannotBeChanged");
    assert!(failure.message.contains("/RoleName"), "{failure}");
}

#[test]
fn what_is_ours_is_recorded_although_no_attempt_is_left() {
    let mut bench = Bench::new(48);
    bench.policy.retry.attempts = 1;
    let mut builder = bench.builder();
    builder.named(
        "files.bucket",
        "AWS::S3::Bucket",
        "BucketName",
        json!({"BucketName": "landfall-files", "Versioning": "on"}),
    );
    let ours = json!({
        "BucketName": "landfall-files",
        "Versioning": "off",
        "Tags": builder.tags("files.bucket"),
    });
    bench
        .cloud
        .plant("AWS::S3::Bucket", "landfall-files", ours, false);
    let landing = bench.land(&builder, builder.creations());
    let Some(RunEnd::Failed { failed, .. }) = bench.start(&landing, 0) else {
        panic!("it fails");
    };
    let failure = &failed[&at("files.bucket")];
    assert_eq!(failure.kind, FailureKind::AlreadyExists);
    bench.assert_nothing_lost();
    bench.resume(&landing);
    bench.succeed(&landing);
    bench.assert_landed(&landing);
}
