//! What holds of every plan, over random graphs and accounts.

mod common;

use common::cloud::World;
use landfall_model::{
    driver::PatchOperation,
    graph::{Address, Graph, Lookup, Node, Replacement, identifier_of, reference},
    plan::{Change, Plan},
};
use landfall_plan::planner;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ADDRESSES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

/// The choices that make a node.
#[derive(Clone, Debug)]
struct Shape {
    by_name: bool,
    revision: bool,
    stateful: bool,
    size: u8,
    fixed: u8,
    hidden: u8,
    deep: Option<u8>,
    list: Vec<u8>,
    team: Option<u8>,
    /// Earlier addresses: referred to in place, and where nothing can change.
    parent: Option<usize>,
    fixed_parent: Option<usize>,
    wait: Option<usize>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let earlier = || proptest::option::weighted(0.3, 0usize..7);
    (
        (any::<bool>(), any::<bool>(), any::<bool>()),
        (0u8..3, 0u8..2, 0u8..2, proptest::option::of(0u8..3)),
        proptest::collection::vec(0u8..4, 0..4),
        proptest::option::of(0u8..3),
        (earlier(), earlier(), earlier()),
    )
        .prop_map(
            |((by_name, revision, stateful), (size, fixed, hidden, deep), list, team, refs)| {
                Shape {
                    by_name,
                    revision,
                    stateful,
                    size,
                    fixed,
                    hidden,
                    deep,
                    list,
                    team,
                    parent: refs.0,
                    fixed_parent: refs.1,
                    wait: refs.2,
                }
            },
        )
}

fn graph() -> impl Strategy<Value = Graph> {
    proptest::collection::vec(proptest::option::weighted(0.8, shape()), ADDRESSES.len()).prop_map(
        |shapes| {
            let mut graph = Graph::default();
            for (index, shape) in shapes.into_iter().enumerate() {
                let Some(shape) = shape else { continue };
                let node = node(index, &shape, &graph);
                graph.nodes.insert(node.address.clone(), node);
            }
            graph
        },
    )
}

fn node(index: usize, shape: &Shape, before: &Graph) -> Node {
    let address = Address::new(ADDRESSES[index]);
    let earlier = |choice: Option<usize>| {
        let other = Address::new(ADDRESSES[choice? % ADDRESSES.len()]);
        before.nodes.contains_key(&other).then_some(other)
    };
    let name = format!("name-{address}");
    let environment =
        common::environment("production", landfall_model::environment::Kind::Production);
    let mut tags = vec![
        json!({"Key": "landfall:environment", "Value": environment.id.as_str()}),
        json!({"Key": "landfall:address", "Value": address.as_str()}),
    ];
    if let Some(team) = shape.team {
        tags.push(json!({"Key": "team", "Value": team.to_string()}));
    }
    let mut properties = json!({
        "Name": name, "Size": shape.size, "Fixed": shape.fixed, "Hidden": shape.hidden.to_string(),
        "Tags": tags, "Deep": {"Always": true},
    });
    if let Some(deep) = shape.deep {
        properties["Deep"]["Sometimes"] = json!(deep);
    }
    if !shape.list.is_empty() {
        properties["List"] = json!(shape.list);
    }
    if let Some(parent) = earlier(shape.parent) {
        properties["Parent"] = reference(&parent, "/Name");
    }
    if let Some(parent) = earlier(shape.fixed_parent) {
        properties["FixedParent"] = json!({"$concat": ["of ", identifier_of(&parent)]});
    }
    let name_pointer = Some("/Name".to_owned());
    Node {
        // One type: identifiers of different nodes must not meet.
        type_name: "Test::One::Type".to_owned(),
        title: format!("Node {address}"),
        needs: earlier(shape.wait).into_iter().collect(),
        stateful: shape.stateful,
        lookup: if shape.by_name {
            Lookup::Name {
                identifier: json!(name),
                name_pointer,
            }
        } else {
            Lookup::Tags {
                scope: None,
                name_pointer,
            }
        },
        replacement: if shape.revision {
            Replacement::Revision
        } else {
            Replacement::Guarded
        },
        create_only: ["/Name", "/Fixed", "/FixedParent"]
            .iter()
            .map(|it| (*it).to_owned())
            .collect(),
        write_only: BTreeSet::from(["/Hidden".to_owned()]),
        monthly_cents: None,
        properties,
        address,
    }
}

/// What others do to the account.
#[derive(Clone, Debug)]
enum Deed {
    AddTag(usize),
    AddProperty(usize),
    AddDeep(usize),
    Resize(usize),
    Delete(usize),
    RemoveOurTag(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    let which = 0usize..7;
    prop_oneof![
        which.clone().prop_map(Deed::AddTag),
        which.clone().prop_map(Deed::AddProperty),
        which.clone().prop_map(Deed::AddDeep),
        which.clone().prop_map(Deed::Resize),
        which.clone().prop_map(Deed::Delete),
        which.prop_map(Deed::RemoveOurTag),
    ]
}

fn suffer(world: &mut World, deed: &Deed) {
    let (Deed::AddTag(at)
    | Deed::AddProperty(at)
    | Deed::AddDeep(at)
    | Deed::Resize(at)
    | Deed::Delete(at)
    | Deed::RemoveOurTag(at)) = deed;
    let Some(record) = world
        .recorded
        .get(at % world.recorded.len().max(1))
        .cloned()
    else {
        return;
    };
    let key = (record.type_name.clone(), record.identifier.clone());
    let Some(properties) = world.cloud.get_mut(&key) else {
        return;
    };
    let tags = properties["Tags"].as_array_mut();
    match deed {
        Deed::AddTag(_) => {
            if let Some(tags) = tags {
                tags.insert(0, json!({"Key": "Theirs", "Value": "Theirs"}));
            }
        }
        Deed::AddProperty(_) => properties["Theirs"] = json!("Theirs"),
        Deed::AddDeep(_) => properties["Deep"]["Theirs"] = json!("Theirs"),
        Deed::Resize(_) => properties["Size"] = json!(99),
        Deed::RemoveOurTag(_) => {
            if let Some(tags) = tags {
                tags.retain(|tag| tag["Key"] != "team");
            }
        }
        Deed::Delete(_) => {
            world.cloud.remove(&key);
        }
    }
}

fn touched(plan: &Plan) -> Vec<String> {
    let actions = plan.actions.iter();
    let touched = actions.filter(|it| !matches!(it.change, Change::NoChange { .. }));
    touched
        .map(|it| format!("{} {} {}", it.change.as_str(), it.address, it.reason))
        .collect()
}

fn theirs(value: &Value) -> usize {
    value.to_string().matches("\"Theirs\"").count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn plans_keep_their_promises(
        first in graph(),
        second in graph(),
        deeds in proptest::collection::vec(deed(), 0..6),
    ) {
        let mut world = World::default();
        let plan = world.plan(&first);
        prop_assert_eq!(plan.summary.create as usize, first.nodes.len());
        world.apply(&plan);
        // Planning again with the result applied gives no change.
        prop_assert_eq!(touched(&world.plan(&first)), Vec::<String>::new());

        for deed in &deeds {
            suffer(&mut world, deed);
        }
        let before = world.clone();
        let plan = world.plan(&second);

        // An order in which it can be done.
        let mut done = BTreeSet::new();
        for action in &plan.actions {
            prop_assert!(action.needs.iter().all(|need| done.contains(need)), "{}", action.address);
            done.insert(action.address.clone());
        }
        // Everything recorded is still accounted for; what is unwanted is
        // retained, and only that.
        for record in &before.recorded {
            let action = plan.action(&record.address).unwrap();
            let retained = matches!(action.change, Change::Retain { .. });
            prop_assert_eq!(retained, !second.nodes.contains_key(&record.address));
        }
        // Unowned properties never appear in patches.
        for action in &plan.actions {
            if let Change::Update { patch, .. } | Change::Adopt { patch, .. } = &action.change {
                let adopts = matches!(action.change, Change::Adopt { .. });
                prop_assert!(!patch.is_empty() || adopts);
                prop_assert_eq!(theirs(&serde_json::to_value(patch).unwrap()), 0);
                let removes = patch.iter().filter(|it| matches!(it, PatchOperation::Remove { .. })).count();
                let applied = before.record(&action.address).map(|it| &it.applied);
                prop_assert!(removes == 0 || applied.is_some(), "{patch:?}");
            }
        }
        // A policy may approve it only if nothing is replaced or lost.
        let heavy = plan.actions.iter().any(|it| match &it.change {
            Change::Replace { revision, stateful, .. } => !revision || *stateful,
            Change::Create { lost: Some(_), .. } => plan.graph.nodes[&it.address].stateful,
            _ => false,
        });
        prop_assert_eq!(plan.needs_person, heavy);

        world.apply(&plan);
        // Nothing left the account, and nothing that others did to it.
        for (key, properties) in &before.cloud {
            let after = world.cloud.get(key);
            prop_assert!(after.is_some(), "{key:?} was deleted");
            prop_assert_eq!(after.map(theirs), Some(theirs(properties)));
        }
        prop_assert_eq!(touched(&world.plan(&second)), Vec::<String>::new());
    }

    #[test]
    fn the_digest_changes_exactly_when_the_graph_or_the_actions_do(
        first in graph(),
        second in graph(),
        deeds in proptest::collection::vec(deed(), 0..2),
    ) {
        let mut world = World::default();
        let plan = world.plan(&first);
        world.apply(&plan);
        let one = world.plan(&first);
        for deed in &deeds {
            suffer(&mut world, deed);
        }
        for other in [world.plan(&first), world.plan(&second)] {
            let same = one.graph == other.graph && one.actions == other.actions;
            prop_assert_eq!(same, one.digest == other.digest);
            prop_assert_eq!(same, planner::changed(&one, &other).is_empty());
        }
    }
}
