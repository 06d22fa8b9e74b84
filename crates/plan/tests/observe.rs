//! What to look at, and what a look means.

mod common;

use common::{cloud::World, environment, example, expand};
use landfall_model::{
    driver::Observed,
    environment::Kind,
    graph::{Address, Graph},
    resource::Observation,
};
use landfall_plan::observe::{Look, Target, targets};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn shop() -> Graph {
    expand(
        &environment("production", Kind::Production),
        &[example("web.score.yaml")],
    )
    .graph
}

fn first_round(graph: &Graph, world: &World) -> Vec<Target> {
    let id = environment("production", Kind::Production).id;
    targets(graph, &world.recorded, &BTreeMap::new(), &id)
}

fn target(targets: &[Target], address: &str) -> Target {
    let found = targets
        .iter()
        .find(|it| it.address == Address::new(address));
    found.unwrap_or_else(|| panic!("no {address}")).clone()
}

fn seen(identifier: &str, properties: Value) -> Observed {
    Observed {
        identifier: identifier.to_owned(),
        properties,
    }
}

fn tags(address: &str, environment_id: &str) -> Value {
    json!({"Tags": [
        {"Key": "landfall:environment", "Value": environment_id},
        {"Key": "landfall:address", "Value": address},
    ]})
}

#[test]
fn a_new_environment_looks_only_for_what_could_be_there() {
    let graph = shop();
    let looks = first_round(&graph, &World::default());
    assert_eq!(
        target(&looks, "network.vpc").look,
        Look::List { scope: None }
    );
    let Look::Read { identifier } = target(&looks, "resource.web.db.instance").look else {
        panic!("a database is read by its name");
    };
    assert!(identifier.starts_with("landfall-shop-production-web-db-"));
    // These stand on something that has no identifier yet.
    for address in [
        "network.public-route",
        "workload.web.listener",
        "balancer.ingress-80",
    ] {
        assert!(
            !looks.iter().any(|it| it.address == Address::new(address)),
            "{address}"
        );
    }
}

#[test]
fn recorded_resources_are_read_by_their_identifier_wanted_or_not() {
    let (mut world, graph) = (World::default(), shop());
    let plan = world.plan(&graph);
    world.apply(&plan);
    let looks = first_round(&Graph::default(), &world);
    assert_eq!(looks.len(), graph.nodes.len());
    for look in looks {
        let record = world.record(&look.address).unwrap();
        let identifier = record.identifier.clone();
        assert_eq!(look.look, Look::Read { identifier });
    }
}

#[test]
fn what_stands_on_something_found_is_looked_for_in_the_next_round() {
    let graph = shop();
    let id = environment("production", Kind::Production).id;
    let mut vpc = tags("network.vpc", id.as_str());
    vpc["VpcId"] = json!("vpc-1");
    let observed = BTreeMap::from([(
        Address::new("network.vpc"),
        Observation::Present {
            identifier: "vpc-1".into(),
            properties: vpc,
        },
    )]);
    let looks = targets(&graph, &[], &observed, &id);
    assert_eq!(
        target(&looks, "network.gateway-attachment").look,
        Look::Read {
            identifier: "IGW|vpc-1".into()
        }
    );
}

#[test]
fn a_look_finds_ours_among_others() {
    let graph = shop();
    let id = environment("production", Kind::Production).id;
    let look = target(&first_round(&graph, &World::default()), "network.vpc");
    let ours = seen("vpc-1", tags("network.vpc", id.as_str()));
    let other = seen(
        "vpc-2",
        tags("network.vpc", "env_0190b5c8e0f07c3f8a1d2b3c4d5e6f70"),
    );
    let untagged = seen("vpc-3", json!({}));
    assert!(look.worth_reading(&ours));
    assert!(!look.worth_reading(&other));
    // A list may leave the tags out.
    assert!(look.worth_reading(&untagged));
    let found = look.judge(&[other.clone(), ours.clone(), untagged.clone()]);
    assert!(matches!(found, Observation::Present { identifier, .. } if identifier == "vpc-1"));
    assert_eq!(look.judge(&[other, untagged]), Observation::Absent);
}

#[test]
fn two_that_claim_to_be_it_are_not_guessed_between() {
    let graph = shop();
    let id = environment("production", Kind::Production).id;
    let look = target(&first_round(&graph, &World::default()), "network.vpc");
    let claims = [
        seen("vpc-1", tags("network.vpc", id.as_str())),
        seen("vpc-2", tags("network.vpc", id.as_str())),
    ];
    let Observation::Unreadable { reason } = look.judge(&claims) else {
        panic!("guessed");
    };
    assert!(
        reason.contains("vpc-1") && reason.contains("vpc-2"),
        "{reason}"
    );
}

#[test]
fn a_foreign_resource_under_our_name_is_not_ours() {
    let graph = shop();
    let look = target(&first_round(&graph, &World::default()), "cluster");
    let foreign = tags("cluster", "env_0190b5c8e0f07c3f8a1d2b3c4d5e6f70");
    let found = look.judge(&[seen("landfall-shop-production-x", foreign)]);
    assert!(matches!(found, Observation::Unreadable { .. }), "{found:?}");
    assert_eq!(look.judge(&[]), Observation::Absent);
}

#[test]
fn a_rule_of_another_address_is_not_taken_for_this_one() {
    let (mut world, graph) = (World::default(), shop());
    let plan = world.plan(&graph);
    world.apply(&plan);
    // The same rule under a new address, while the old one is still recorded.
    let mut renamed = graph.clone();
    let mut node = renamed
        .nodes
        .remove(&Address::new("balancer.ingress-80"))
        .unwrap();
    node.address = Address::new("balancer.other");
    renamed.nodes.insert(node.address.clone(), node);
    let observed = world.observed(&renamed);
    assert_eq!(
        observed[&Address::new("balancer.other")],
        Observation::Absent
    );
}
