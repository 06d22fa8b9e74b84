//! Plans over an account that changes, by our hand and by others.

mod common;

use common::{cloud::World, environment, example, expand};
use landfall_model::{
    approval::{self, Admin},
    driver::PatchOperation,
    environment::{ApprovalPolicy, Kind},
    error::Code,
    graph::{Address, Graph},
    id::MemberId,
    member::Role,
    plan::{Change, Plan, render::render},
    resource::Observation,
};
use landfall_plan::planner;
use serde_json::{Value, json};

fn shop() -> Graph {
    expand(
        &environment("production", Kind::Production),
        &[example("web.score.yaml")],
    )
    .graph
}

fn applied() -> (World, Graph) {
    let (mut world, graph) = (World::default(), shop());
    let plan = world.plan(&graph);
    world.apply(&plan);
    (world, graph)
}

fn change<'a>(plan: &'a Plan, address: &str) -> &'a Change {
    &plan
        .action(&Address::new(address))
        .unwrap_or_else(|| panic!("no {address}"))
        .change
}

fn reason<'a>(plan: &'a Plan, address: &str) -> &'a str {
    &plan.action(&Address::new(address)).unwrap().reason
}

/// Addresses of everything that is not left as it is.
fn touched(plan: &Plan) -> Vec<String> {
    let actions = plan.actions.iter();
    let touched = actions.filter(|it| !matches!(it.change, Change::NoChange { .. }));
    touched
        .map(|it| format!("{} {}", it.change.as_str(), it.address))
        .collect()
}

fn set(graph: &mut Graph, address: &str, property: &str, value: Value) {
    graph
        .nodes
        .get_mut(&Address::new(address))
        .unwrap()
        .properties[property] = value;
}

#[test]
fn the_first_plan_creates_everything_in_order() {
    let graph = shop();
    let plan = World::default().plan(&graph);
    assert_eq!(plan.summary.create as usize, graph.nodes.len());
    assert!(!plan.needs_person);
    let place = |address: &Address| {
        plan.actions
            .iter()
            .position(|it| &it.address == address)
            .unwrap()
    };
    for action in &plan.actions {
        for need in &action.needs {
            assert!(
                place(need) < place(&action.address),
                "{} before {need}",
                action.address
            );
        }
    }
    insta::assert_snapshot!(render(&plan));
}

#[test]
fn planning_again_finds_nothing_to_do() {
    let (world, graph) = applied();
    let plan = world.plan(&graph);
    assert_eq!(touched(&plan), Vec::<String>::new());
    assert!(plan.is_empty());
    insta::assert_snapshot!(render(&plan));
}

#[test]
fn a_new_image_revises_the_task_and_updates_the_service() {
    let (mut world, _) = applied();
    let mut environment = environment("production", Kind::Production);
    environment
        .settings
        .images
        .insert("web.main".into(), "ghcr.io/example/shop:1.1".into());
    let graph = expand(&environment, &[example("web.score.yaml")]).graph;
    let plan = world.plan(&graph);
    assert_eq!(
        touched(&plan),
        ["revise workload.web.task", "update workload.web.service"]
    );
    let Change::Update { patch, .. } = change(&plan, "workload.web.service") else {
        panic!("{plan:?}");
    };
    // The new task's ARN is not known before it is there.
    assert_eq!(
        patch,
        &[PatchOperation::Replace {
            path: "/TaskDefinition".into(),
            value: json!({"$ref": "workload.web.task", "attr": "/TaskDefinitionArn"}),
        }]
    );
    assert!(!plan.needs_person);
    insta::assert_snapshot!(render(&plan));

    world.apply(&plan);
    let task = world.record(&Address::new("workload.web.task")).unwrap();
    assert_eq!(task.generation, 2);
    assert_eq!(touched(&world.plan(&graph)), Vec::<String>::new());
}

#[test]
fn what_others_added_stays_and_what_they_changed_is_put_right() {
    let (mut world, graph) = applied();
    let vpc = world.properties_mut("network.vpc");
    vpc["Tags"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"Key": "team", "Value": "blue"}));
    vpc["TheirOwn"] = json!(true);
    assert_eq!(touched(&world.plan(&graph)), Vec::<String>::new());

    world.properties_mut("workload.web.service")["DesiredCount"] = json!(9);
    let tags = world.properties_mut("network.vpc")["Tags"]
        .as_array_mut()
        .unwrap();
    tags.retain(|tag| tag["Key"] != "landfall:managed");
    let plan = world.plan(&graph);
    assert_eq!(
        touched(&plan),
        ["update network.vpc", "update workload.web.service"]
    );
    assert_eq!(
        change(&plan, "workload.web.service"),
        &Change::Update {
            identifier: world
                .record(&Address::new("workload.web.service"))
                .unwrap()
                .identifier
                .clone(),
            patch: vec![PatchOperation::Replace {
                path: "/DesiredCount".into(),
                value: json!(2)
            }],
        }
    );
    assert_eq!(
        reason(&plan, "workload.web.service"),
        "DesiredCount was changed outside Landfall"
    );
    insta::assert_snapshot!(render(&plan));
    world.apply(&plan);
    let vpc = world.properties_mut("network.vpc");
    assert_eq!(vpc["Tags"][0], json!({"Key": "team", "Value": "blue"}));
    assert_eq!(vpc["TheirOwn"], true);
    assert_eq!(touched(&world.plan(&graph)), Vec::<String>::new());
}

#[test]
fn what_we_owned_and_no_longer_want_is_taken_away() {
    let (mut world, mut graph) = applied();
    let service = graph
        .nodes
        .get_mut(&Address::new("workload.web.service"))
        .unwrap();
    service
        .properties
        .as_object_mut()
        .unwrap()
        .remove("HealthCheckGracePeriodSeconds");
    let vpc = graph.nodes.get_mut(&Address::new("network.vpc")).unwrap();
    vpc.properties["Tags"]
        .as_array_mut()
        .unwrap()
        .retain(|tag| tag["Key"] != "Name");
    let plan = world.plan(&graph);
    let Change::Update { patch, .. } = change(&plan, "workload.web.service") else {
        panic!("{plan:?}");
    };
    assert_eq!(
        patch,
        &[PatchOperation::Remove {
            path: "/HealthCheckGracePeriodSeconds".into()
        }]
    );
    assert_eq!(
        reason(&plan, "workload.web.service"),
        "another HealthCheckGracePeriodSeconds is wanted"
    );
    world.apply(&plan);
    let tags = landfall_model::graph::tags(world.properties_mut("network.vpc"));
    assert!(!tags.contains_key("Name") && tags.contains_key("landfall:managed"));
    assert_eq!(touched(&world.plan(&graph)), Vec::<String>::new());
}

#[test]
fn what_the_grant_does_not_let_us_change_is_left_and_said() {
    let (mut world, _) = applied();
    let mut environment = environment("production", Kind::Production);
    environment.settings.database_class = Some("db.m7g.large".into());
    environment.settings.replicas = Some(5);
    let graph = expand(&environment, &[example("web.score.yaml")]).graph;
    let role = world.properties_mut("workload.web.task-role");
    role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"] = json!("*");
    role["Description"] = json!("mine");
    let plan = world.plan(&graph);
    assert_eq!(
        touched(&plan),
        [
            "update workload.web.task-role",
            "update workload.web.service"
        ]
    );
    let Change::Update { patch, .. } = change(&plan, "workload.web.task-role") else {
        panic!("{plan:?}");
    };
    // One principal more in a trust policy is seen, though only a person can
    // take it away.
    assert!(reason(&plan, "workload.web.task-role").contains("AssumeRolePolicyDocument stays"));
    assert_eq!(patch.len(), 1);
    assert!(
        reason(&plan, "resource.web.db.instance").contains("another DBInstanceClass is wanted")
    );
    insta::assert_snapshot!(render(&plan));
}

#[test]
fn what_cannot_be_changed_in_place_is_replaced_by_a_person_only() {
    let (mut world, mut graph) = applied();
    set(&mut graph, "workload.web.target-group", "Port", json!(9090));
    let plan = world.plan(&graph);
    let old = world
        .record(&Address::new("workload.web.target-group"))
        .unwrap()
        .clone();
    let Change::Replace {
        identifier,
        because,
        properties,
        generation,
        revision,
        stateful,
    } = change(&plan, "workload.web.target-group")
    else {
        panic!("{plan:?}");
    };
    assert_eq!(
        (identifier, because.as_slice()),
        (&old.identifier, ["/Port".to_owned()].as_slice())
    );
    assert_eq!((*generation, *revision, *stateful), (2, false, false));
    let name = old.applied["Name"].as_str().unwrap();
    assert_eq!(properties["Name"], format!("{name}-2"));
    assert_eq!(
        plan.graph.nodes[&Address::new("workload.web.target-group")].properties,
        *properties
    );
    assert!(plan.needs_person);
    assert_eq!(
        approval::approve_by_policy(&plan, ApprovalPolicy::Automatic, common::NOW),
        Err(approval::Refusal::NeedsPerson)
    );
    // What stands on it follows.
    assert_eq!(
        touched(&plan),
        [
            "replace workload.web.target-group",
            "update workload.web.listener",
            "update workload.web.service",
        ]
    );
    insta::assert_snapshot!(render(&plan));

    world.apply(&plan);
    // The old one is still there, with its tags, and does not confuse.
    assert!(
        world
            .cloud
            .contains_key(&(old.type_name.clone(), old.identifier.clone()))
    );
    assert_eq!(touched(&world.plan(&graph)), Vec::<String>::new());
    set(&mut graph, "workload.web.target-group", "Port", json!(9091));
    let plan = world.plan(&graph);
    let Change::Replace {
        properties,
        generation,
        ..
    } = change(&plan, "workload.web.target-group")
    else {
        panic!("{plan:?}");
    };
    assert_eq!(
        (*generation, &properties["Name"]),
        (3, &json!(format!("{name}-3")))
    );
}

#[test]
fn a_name_that_is_the_identifier_gets_the_suffix_in_the_lookup_too() {
    let (world, mut graph) = applied();
    set(
        &mut graph,
        "resource.web.db.instance",
        "MasterUsername",
        json!("other"),
    );
    let plan = world.plan(&graph);
    let Change::Replace {
        stateful: true,
        properties,
        ..
    } = change(&plan, "resource.web.db.instance")
    else {
        panic!("{plan:?}");
    };
    let node = &plan.graph.nodes[&Address::new("resource.web.db.instance")];
    let landfall_model::graph::Lookup::Name { identifier, .. } = &node.lookup else {
        panic!("{node:?}");
    };
    assert_eq!(identifier, &properties["DBInstanceIdentifier"]);
    assert!(identifier.as_str().unwrap().ends_with("-2"));
    assert!(plan.needs_person);
    assert!(reason(&plan, "resource.web.db.instance").contains("its data are kept"));
}

#[test]
fn a_second_of_what_can_only_be_there_once_blocks_the_plan() {
    let (world, mut graph) = applied();
    let node = graph
        .nodes
        .get_mut(&Address::new("network.public-route"))
        .unwrap();
    // The same table and range, but something that a route cannot change.
    node.create_only.insert("/GatewayId".into());
    node.properties["GatewayId"] = json!("igw-other");
    let error = world.try_plan(&graph).unwrap_err();
    assert_eq!(error.code, Code::PlanBlocked);
    assert!(error.detail.contains("cannot stand beside"), "{error}");
}

#[test]
fn what_was_deleted_outside_is_made_again() {
    let (mut world, graph) = applied();
    world.lose("balancer.ingress-80");
    let plan = world.plan(&graph);
    assert_eq!(touched(&plan), ["create balancer.ingress-80"]);
    assert!(reason(&plan, "balancer.ingress-80").contains("was deleted outside Landfall"));
    assert!(!plan.needs_person);
    assert!(approval::approve_by_policy(&plan, ApprovalPolicy::Automatic, common::NOW).is_ok());
}

#[test]
fn an_empty_database_in_the_place_of_a_lost_one_needs_a_person() {
    let (mut world, graph) = applied();
    world.lose("resource.web.db.instance");
    let plan = world.plan(&graph);
    let Change::Create { lost: Some(_), .. } = change(&plan, "resource.web.db.instance") else {
        panic!("{plan:?}");
    };
    assert!(plan.needs_person);
    assert_eq!(
        approval::approve_by_policy(&plan, ApprovalPolicy::Automatic, common::NOW),
        Err(approval::Refusal::NeedsPerson)
    );
    let admin = Admin::from_role(
        MemberId::at(common::NOW, &common::Fixed(1)),
        "ada".into(),
        Role::Admin,
    );
    let approval = approval::approve_by_person(&plan, admin.unwrap(), &plan.digest, common::NOW);
    assert!(approval.is_ok());
    insta::assert_snapshot!(render(&plan));
}

#[test]
fn losing_a_subnet_group_does_not_replace_the_database() {
    let (mut world, graph) = applied();
    world.lose("resource.web.db.subnet-group");
    let plan = world.plan(&graph);
    assert_eq!(touched(&plan), ["create resource.web.db.subnet-group"]);
}

#[test]
fn what_is_no_longer_wanted_is_retained_and_found_again() {
    let (mut world, graph) = applied();
    let mut smaller = graph.clone();
    for address in [
        "resource.web.session-key.secret",
        "resource.shared.bucket.uploads.bucket",
    ] {
        smaller.nodes.remove(&Address::new(address));
    }
    // Nothing of the workload uses them any more.
    let text = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop/web.score.yaml"),
    )
    .unwrap();
    let text: String = text
        .lines()
        .filter(|line| {
            !line.contains("resources.uploads") && !line.contains("resources.session-key")
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let text = text.split("  uploads:").next().unwrap().to_owned();
    let workload = landfall_plan::score::parse(&text).unwrap();
    let smaller = expand(&environment("production", Kind::Production), &[workload]).graph;

    let plan = world.plan(&smaller);
    assert_eq!(plan.summary.retain, 2);
    assert_eq!(
        change(&plan, "resource.shared.bucket.uploads.bucket"),
        &Change::Retain {
            identifier: world
                .record(&Address::new("resource.shared.bucket.uploads.bucket"))
                .unwrap()
                .identifier
                .clone(),
            stateful: true,
        }
    );
    insta::assert_snapshot!(render(&plan));
    world.apply(&plan);
    assert_eq!(touched(&world.plan(&smaller)), Vec::<String>::new());

    let plan = world.plan(&graph);
    let adopted: Vec<String> = touched(&plan)
        .into_iter()
        .filter(|it| it.starts_with("adopt"))
        .collect();
    assert_eq!(
        adopted,
        [
            "adopt resource.shared.bucket.uploads.bucket",
            "adopt resource.web.session-key.secret",
        ]
    );
    world.apply(&plan);
    assert_eq!(touched(&world.plan(&graph)), Vec::<String>::new());
}

#[test]
fn an_empty_graph_retains_everything() {
    let (world, graph) = applied();
    let plan = world.plan(&Graph::default());
    assert_eq!(plan.summary.retain as usize, graph.nodes.len());
    assert_eq!(plan.actions.len(), graph.nodes.len());
}

#[test]
fn what_was_made_but_never_recorded_is_adopted() {
    let (mut world, graph) = applied();
    world.recorded.clear();
    let plan = world.plan(&graph);
    assert_eq!(plan.summary.create, 0, "{:?}", touched(&plan));
    // A secret's generator is never sent again: it would make another value.
    let Change::Adopt { patch, .. } = change(&plan, "resource.web.session-key.secret") else {
        panic!("{plan:?}");
    };
    assert!(patch.is_empty(), "{patch:?}");
    assert!(reason(&plan, "network.vpc").contains("by its tags"));
    world.apply(&plan);
    assert_eq!(touched(&world.plan(&graph)), Vec::<String>::new());
}

#[test]
fn somebody_elses_resource_under_our_name_blocks_the_plan() {
    let (mut world, graph) = applied();
    let tags = world.properties_mut("resource.web.db.instance")["Tags"]
        .as_array_mut()
        .unwrap();
    for tag in tags {
        if tag["Key"] == "landfall:environment" {
            tag["Value"] = json!("env_0190b5c8e0f07c3f8a1d2b3c4d5e6f70");
        }
    }
    world
        .recorded
        .retain(|it| it.address != Address::new("resource.web.db.instance"));
    let error = world.try_plan(&graph).unwrap_err();
    assert_eq!(error.code, Code::PlanBlocked);
    assert!(error.detail.contains("somebody else's"), "{error}");
}

#[test]
fn what_cannot_be_read_blocks_the_plan_and_is_named() {
    let (world, graph) = applied();
    let mut observed = world.observed(&graph);
    for address in ["network.vpc", "cluster"] {
        let unreadable = Observation::Unreadable {
            reason: "AccessDenied".into(),
        };
        observed.insert(Address::new(address), unreadable);
    }
    let environment = environment("production", Kind::Production);
    let error = planner::plan(planner::PlanInput {
        id: landfall_model::id::PlanId::at(common::NOW, &common::Fixed(9)),
        organization_id: environment.organization_id,
        environment_id: environment.id,
        now: common::NOW,
        graph,
        endpoints: Default::default(),
        recorded: &world.recorded,
        observed: &observed,
    })
    .unwrap_err();
    assert_eq!(error.code, Code::PlanBlocked);
    let fields: Vec<&str> = error
        .violations
        .iter()
        .map(|it| it.field.as_str())
        .collect();
    assert_eq!(fields, ["cluster", "network.vpc"]);
}

#[test]
fn nodes_that_wait_for_each_other_block_the_plan() {
    let mut graph = shop();
    let vpc = graph.nodes.get_mut(&Address::new("network.vpc")).unwrap();
    vpc.needs.insert(Address::new("cluster"));
    let cluster = graph.nodes.get_mut(&Address::new("cluster")).unwrap();
    cluster.needs.insert(Address::new("network.vpc"));
    let error = World::default().try_plan(&graph).unwrap_err();
    assert_eq!(error.code, Code::PlanBlocked);
    assert_eq!(
        error.detail,
        "these wait for each other: cluster, network.vpc"
    );

    let mut graph = shop();
    graph.nodes.remove(&Address::new("cluster"));
    let error = World::default().try_plan(&graph).unwrap_err();
    assert!(error.detail.contains("not in the graph"), "{error}");
}

#[test]
fn what_changed_between_two_plans_is_said() {
    let (mut world, mut graph) = applied();
    let before = world.plan(&graph);
    assert_eq!(
        planner::changed(&before, &world.plan(&graph)),
        Vec::<String>::new()
    );
    world.properties_mut("workload.web.service")["DesiredCount"] = json!(9);
    world.lose("balancer.ingress-80");
    set(
        &mut graph,
        "workload.web.logs",
        "RetentionInDays",
        json!(30),
    );
    graph
        .nodes
        .remove(&Address::new("resource.web.db.ingress-web"));
    let service = graph
        .nodes
        .get_mut(&Address::new("workload.web.service"))
        .unwrap();
    service
        .needs
        .remove(&Address::new("resource.web.db.ingress-web"));
    let after = world.plan(&graph);
    insta::assert_snapshot!(planner::changed(&before, &after).join("\n"));
}
