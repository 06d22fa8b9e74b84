//! Rollouts without accidents, and what they leave behind.

use crate::support::{Bench, cloud::Verb, graphs::at};
use landfall_engine::{Fold, RunEnd, endpoints, fold};
use landfall_model::{
    journal::EventKind,
    plan::Change,
    retained::Reason,
    rollout::{NodeState, State},
    store::Write,
};
use serde_json::json;

#[test]
fn a_graph_is_created_in_parallel_along_its_edges() {
    let bench = Bench::new(1);
    let landing = bench.creation();
    let began = bench.now();
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);
    let rollout = bench.rollout(&landing);
    assert!(matches!(rollout.state, State::Succeeded { .. }));
    // Database (400 s), balancer and NAT side by side, not one after another.
    let took = bench.now().millis_since(began);
    assert!(took < 500_000, "{took} ms");
    assert_eq!(bench.memory.as_ref().unwrap().open_work(), 0);

    let events = bench.events(&landing);
    let states = fold(&landing.plan, &events);
    assert!(
        states
            .values()
            .all(|state| matches!(state, NodeState::Done { .. }))
    );
    let mut live = Fold::new(&landing.plan);
    events.iter().for_each(|event| live.apply(event));
    assert_eq!(live.nodes(), &states);
    assert_eq!(live.last_event(), events.len() as u64);

    let records: Vec<_> = bench.records().into_values().collect();
    let offered = endpoints(&landing.plan, &records);
    assert!(offered["web"].starts_with("http://loadbalancer-"));
}

#[test]
fn every_kind_of_change_is_applied_and_nothing_is_deleted() {
    let bench = Bench::new(2);
    let landing = bench.second();
    let old_task = bench.records()[&at("web.task")].identifier.clone();
    let old_nat = bench.records()[&at("network.nat")].identifier.clone();
    let calls = bench.cloud.requests(Verb::Create).len();
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    bench.assert_landed(&landing);

    let retained = bench.retained();
    let reason = |identifier: &str| {
        let entry = retained.iter().find(|one| one.identifier == identifier);
        entry.map(|one| one.reason.clone())
    };
    assert_eq!(retained.len(), 2);
    assert_eq!(reason(&old_task), Some(Reason::Superseded));
    assert_eq!(reason(&old_nat), Some(Reason::NoLongerWanted));
    assert_eq!(bench.records()[&at("web.task")].generation, 2);
    assert_eq!(bench.cloud.requests(Verb::Create).len(), calls + 2);
    assert!(matches!(
        bench.story(&landing, "network.vpc").as_slice(),
        [EventKind::Unchanged { .. }]
    ));
    assert!(matches!(
        bench.story(&landing, "network.nat").as_slice(),
        [EventKind::Retained { .. }]
    ));
}

#[test]
fn a_commit_writes_what_changed_and_no_more() {
    let bench = Bench::new(3);
    let landing = bench.creation();
    bench.start(&landing, 0);
    let commits = bench.memory.as_ref().unwrap().commits();
    // An event or two and a record each: the plan and the rollout are not
    // written again with every step.
    assert!(commits.iter().all(|writes| *writes <= 4), "{commits:?}");
}

#[test]
fn a_finished_rollout_is_not_run_again() {
    let bench = Bench::new(4);
    let landing = bench.creation();
    bench.start(&landing, 0);
    let calls = bench.cloud.requests(Verb::Create).len();
    let mut rollout = bench.rollout(&landing);
    rollout.version += 1;
    // As if the row had been queued twice.
    bench.put(vec![
        Write::PutRollout(rollout),
        bench.enqueue(&landing.rollout_id),
    ]);
    assert_eq!(bench.start(&landing, 0), Some(RunEnd::Succeeded));
    assert_eq!(bench.cloud.requests(Verb::Create).len(), calls);
    assert_eq!(bench.memory.as_ref().unwrap().open_work(), 0);
}

#[test]
fn an_attribute_that_appears_late_is_waited_for() {
    let bench = Bench::new(5);
    let first = bench.creation();
    bench.start(&first, 0);
    // Recorded before the cloud showed its ARN.
    let mut record = bench.records().remove(&at("web.role")).unwrap();
    record.outputs = json!({});
    bench.put(vec![Write::PutResource(record)]);
    let mut builder = bench.builder();
    builder.landscape();
    builder.tagged(
        "web.alarm",
        "AWS::CloudWatch::Alarm",
        json!({"RoleArn": landfall_model::graph::reference(&at("web.role"), "/Arn")}),
    );
    let records = bench.records();
    let actions = builder
        .graph
        .nodes
        .values()
        .map(|node| {
            let change = match records.get(&node.address) {
                Some(record) => Change::NoChange {
                    identifier: record.identifier.clone(),
                },
                None => Change::Create {
                    properties: node.properties.clone(),
                    lost: None,
                },
            };
            builder.action(node.address.as_str(), change)
        })
        .collect();
    let second = bench.land(&builder, actions);
    assert_eq!(bench.start(&second, 0), Some(RunEnd::Succeeded));
    let alarm = &bench.records()[&at("web.alarm")];
    assert_eq!(alarm.applied["RoleArn"], "arn:aws:x:::landfall-web");
}

#[test]
fn a_plan_may_not_run_another_plans_rollout() {
    let bench = Bench::new(6);
    let one = bench.creation();
    let other = bench.creation();
    let rollout = bench.rollout(&one);
    let lease = bench.claim("rollout").unwrap();
    let engine = bench.engine();
    let refused = bench.ask(bench.work(&engine, &other, lease, rollout));
    assert!(refused.is_err());
    assert!(bench.cloud.requests(Verb::Create).is_empty());
}
