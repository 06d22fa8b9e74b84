//! One address of a plan, from wherever its journal stands to its end.

use crate::{
    attempt::Attempts,
    building::{Building, Goal},
    engine::Stop,
    fold::NodeLog,
    hands::Provisioner,
    world::World,
};
use landfall_model::{
    driver::{Failure, FailureKind},
    journal::EventKind,
    plan::{Action, Change},
    retained::Reason,
    store::Write,
};

#[derive(Debug)]
pub(crate) enum NodeEnd {
    Done,
    Failed(Failure),
    /// Not started, or certainly not begun, when the cancel was seen.
    Canceled,
}

/// Runs an action to its end.
pub(crate) async fn run(
    world: &World<'_>,
    action: &Action,
    mut log: NodeLog,
) -> Result<NodeEnd, Stop> {
    let attempts = Attempts {
        engine: world.engine,
        journal: world.journal,
        hands: world.hands,
        address: &action.address,
        canceling: &world.canceling,
    };
    if let Change::Retain { identifier, .. } = &action.change {
        return retain(world, action, &attempts, &mut log, identifier).await;
    }
    let Some(node) = world.plan.graph.nodes.get(&action.address) else {
        let failure = Failure::new(
            FailureKind::Invalid,
            "PlanInconsistent",
            format!("the plan's graph has no node {}", action.address),
        );
        return fail(&attempts, &mut log, vec![], failure).await;
    };
    let (goal, template) = match &action.change {
        Change::Create { properties, lost } => (
            Goal::Create {
                lost: lost.as_deref(),
            },
            properties,
        ),
        Change::Replace {
            identifier,
            properties,
            generation,
            revision,
            ..
        } => (
            Goal::Replace {
                old: identifier,
                generation: *generation,
                revision: *revision,
            },
            properties,
        ),
        Change::Update { identifier, patch } => (
            Goal::Known {
                identifier,
                patch,
                adopt: false,
            },
            &node.properties,
        ),
        Change::Adopt { identifier, patch } => (
            Goal::Known {
                identifier,
                patch,
                adopt: true,
            },
            &node.properties,
        ),
        Change::NoChange { identifier } | Change::Retain { identifier, .. } => {
            let event = EventKind::Unchanged {
                identifier: identifier.clone(),
            };
            attempts
                .note(&mut log, "note an unchanged resource", vec![], vec![event])
                .await?;
            return Ok(NodeEnd::Done);
        }
    };
    Building::new(world, action, node, attempts, log, template, goal)
        .run()
        .await
}

/// Moves a resource that is no longer wanted to the retained list. No call is
/// made: it stays in the account as it is.
async fn retain(
    world: &World<'_>,
    action: &Action,
    attempts: &Attempts<'_, Provisioner>,
    log: &mut NodeLog,
    identifier: &str,
) -> Result<NodeEnd, Stop> {
    let mut writes = Vec::new();
    let record = world.record(&action.address);
    let moved = record.map(|record| world.retire(&record, Reason::NoLongerWanted));
    if let Some((write, _)) = &moved {
        writes.push(write.clone());
        writes.push(Write::DeleteResource {
            environment_id: world.plan.environment_id.clone(),
            address: action.address.clone(),
        });
    }
    let event = EventKind::Retained {
        identifier: identifier.to_owned(),
    };
    attempts
        .note(log, "retain a resource", writes, vec![event])
        .await?;
    if let Some((_, retained)) = moved {
        world.records().remove(&action.address);
        world.remember(retained);
    }
    Ok(NodeEnd::Done)
}

pub(crate) async fn fail(
    attempts: &Attempts<'_, Provisioner>,
    log: &mut NodeLog,
    with: Vec<Write>,
    failure: Failure,
) -> Result<NodeEnd, Stop> {
    let event = EventKind::Failed {
        failure: failure.clone(),
    };
    attempts
        .note(log, "write a failure to the journal", with, vec![event])
        .await?;
    Ok(NodeEnd::Failed(failure))
}
