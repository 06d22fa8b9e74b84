//! What earlier rollouts of the environment left open.
//!
//! A rollout may end while the outcome of a create is unknown (the account
//! stopped answering, an operation never ended). Nobody resumes it, a new plan
//! is made, and what was created would belong to nobody. So a run first settles
//! every such attempt: it polls or replays it, or looks, and records what it
//! finds. The older journal gets the closing event, so this happens once.

use crate::{
    attempt::{Attempts, Outcome, passed},
    engine::{Stop, Trouble},
    fold::{Attempt, Logs, NodeLog},
    hands::Provisioner,
    journal::Journal,
    lookup::{self, Maker, Wanted},
    record,
    run::logs_of,
    world::World,
};
use landfall_model::{
    driver::{Failure, FailureKind, Observed},
    graph::{Address, Node},
    id::PlanId,
    journal::{Call, EventKind, Stream},
    owned,
    retained::Reason,
    rollout::State,
    store::Write,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::atomic::AtomicBool};

/// How many earlier rollouts are looked through. Those before the last one that
/// succeeded have nothing open: it would not have succeeded.
const REACH: u32 = 100;

struct Legacy {
    stream: Stream,
    plan_id: PlanId,
    address: Address,
    log: NodeLog,
}

/// Settles all; the result is what could not be, by address.
pub(crate) async fn settle(
    world: &World<'_>,
    logs: &mut Logs,
) -> Result<BTreeMap<Address, Failure>, Stop> {
    let mut failed = BTreeMap::new();
    if world.is_canceling() {
        return Ok(failed);
    }
    let legacies = open_attempts(world).await?;
    let settled = futures::future::join_all(legacies.into_iter().map(|legacy| async move {
        let address = legacy.address.clone();
        (address, settle_one(world, legacy).await)
    }));
    for (address, outcome) in settled.await {
        match outcome {
            Ok(()) => {}
            Err(Trouble::Stop(stop)) => return Err(stop),
            Err(Trouble::Failure(failure)) => {
                let event = EventKind::Failed {
                    failure: failure.clone(),
                };
                let write = world.journal.entry(Some(&address), event.clone());
                let journal = world.journal;
                journal
                    .commit("note what could not be settled", vec![write])
                    .await?;
                logs.apply(Some(&address), world.engine.now(), &event);
                failed.insert(address, failure);
            }
        }
    }
    Ok(failed)
}

async fn open_attempts(world: &World<'_>) -> Result<Vec<Legacy>, Stop> {
    let plan = world.plan;
    let rollouts = world
        .engine
        .store
        .rollouts(&plan.organization_id, Some(&plan.environment_id), REACH)
        .await
        .map_err(Stop::store("read earlier rollouts"))?;
    let mut found = Vec::new();
    for rollout in rollouts {
        match rollout.state {
            _ if &rollout.id == world.rollout_id => continue,
            State::Succeeded { .. } => break,
            State::Failed { .. } | State::Canceled { .. } => {}
            // Somebody else's, and still theirs.
            State::Queued { .. } | State::Running { .. } | State::Canceling { .. } => continue,
        }
        let stream = Stream::Rollout(rollout.id);
        for (address, log) in logs_of(world.engine, &stream).await?.nodes {
            let creates = log
                .open()
                .is_some_and(|open| matches!(open.request, Call::Create { .. }));
            if creates {
                found.push(Legacy {
                    stream: stream.clone(),
                    plan_id: rollout.plan_id.clone(),
                    address,
                    log,
                });
            }
        }
    }
    Ok(found)
}

async fn settle_one(world: &World<'_>, mut legacy: Legacy) -> Result<(), Trouble> {
    let journal = Journal {
        engine: world.engine,
        stream: legacy.stream.clone(),
        heartbeat: world.journal.heartbeat,
    };
    // Its own, never set: this is not the work that a cancel is about, and it
    // begins nothing.
    let canceling = AtomicBool::new(false);
    let attempts = Attempts {
        engine: world.engine,
        journal: &journal,
        hands: world.hands,
        address: &legacy.address,
        canceling: &canceling,
    };
    let Some(open) = legacy.log.open().cloned() else {
        return Ok(());
    };
    let Call::Create { properties } = &open.request else {
        return Ok(());
    };
    // Without its plan nobody knows how to look for it: it stays open.
    let Some(node) = node_of(world, &legacy, &open.type_name).await? else {
        return Ok(());
    };
    let outcome = attempts.drive(&mut legacy.log, true).await?;
    let identifier = legacy.log.open().and_then(|open| open.identifier.clone());
    let maker = Maker {
        environment_id: &world.plan.environment_id,
        address: &legacy.address,
        node: &node,
        properties,
    };
    let observed = match made(world, &attempts, maker, &open, outcome, identifier).await? {
        Ok(observed) => observed,
        Err(failure) => {
            let event = EventKind::AttemptFailed {
                attempt: open.number,
                failure,
            };
            attempts
                .note(&mut legacy.log, "close an old attempt", vec![], vec![event])
                .await?;
            return Ok(());
        }
    };
    take_in(
        world,
        &attempts,
        &mut legacy.log,
        &node,
        properties,
        observed,
    )
    .await
}

/// What the attempt made; or, when that is certainly nothing, how it failed.
async fn made(
    world: &World<'_>,
    attempts: &Attempts<'_, Provisioner>,
    maker: Maker<'_>,
    open: &Attempt,
    outcome: Outcome,
    identifier: Option<String>,
) -> Result<Result<Observed, Failure>, Trouble> {
    let (found, why) = match (outcome, identifier) {
        (Outcome::Unfinished { failure }, _) => return Err(failure.into()),
        (Outcome::Succeeded { .. }, Some(identifier)) => {
            let type_name = &maker.node.type_name;
            let seen = attempts.read_made(type_name, &identifier).await?;
            (seen, found_nothing(world))
        }
        (Outcome::Succeeded { .. }, _) => (look(world, &maker).await?, found_nothing(world)),
        (Outcome::Lost, _) => match look(world, &maker).await? {
            None if may_be_at_work(world, open) => return Err(too_early(world, open).into()),
            found => (found, found_nothing(world)),
        },
        (
            Outcome::Failed {
                failure,
                certain: false,
            },
            _,
        ) => match look(world, &maker).await? {
            None => return Err(failure.into()),
            found => (found, failure),
        },
        // A name that is taken may be anybody's.
        (Outcome::Failed { failure, .. }, Some(identifier))
            if failure.kind != FailureKind::AlreadyExists =>
        {
            let type_name = &maker.node.type_name;
            let seen = attempts.read_made(type_name, &identifier).await?;
            let found = seen.filter(|observed| maker.made(observed, Some(&failure)));
            (found, found_nothing(world))
        }
        // What the failure does not name may be there all the same.
        (Outcome::Failed { failure, .. }, _) => (look(world, &maker).await?, failure),
    };
    Ok(found.ok_or(why))
}

/// An attempt that was made a short while ago may still be at work, unseen:
/// closing it would let the next create make a second one.
fn may_be_at_work(world: &World<'_>, open: &Attempt) -> bool {
    let age = passed(open.at, world.engine.now());
    age < world.engine.policy.poll.deadline(&open.type_name)
}

fn too_early(world: &World<'_>, open: &Attempt) -> Failure {
    let deadline = world.engine.policy.poll.deadline(&open.type_name);
    Failure::new(
        FailureKind::Unavailable,
        "OutcomeUnknown",
        format!(
            "an earlier rollout asked for a {} at {}, and the cloud cannot say what became of it; \
             it may still appear until {} minutes later: resume the rollout then",
            open.type_name,
            open.at,
            deadline.as_secs() / 60
        ),
    )
}

fn found_nothing(world: &World<'_>) -> Failure {
    Failure::new(
        FailureKind::Forgotten,
        "NotFound",
        format!("{} found nothing of it", world.rollout_id),
    )
}

/// Records what an old attempt made: at its address if that is wanted and free,
/// else as left behind.
async fn take_in(
    world: &World<'_>,
    attempts: &Attempts<'_, Provisioner>,
    log: &mut NodeLog,
    node: &Node,
    properties: &Value,
    observed: Observed,
) -> Result<(), Trouble> {
    let address = attempts.address;
    let identifier = observed.identifier.clone();
    let recorded = world.record(address);
    let adopted = EventKind::Adopted {
        identifier: identifier.clone(),
        how: format!("found by {}", world.rollout_id),
    };
    if recorded
        .as_ref()
        .is_some_and(|record| record.identifier == identifier)
    {
        attempts
            .note(log, "close an old attempt", vec![], vec![adopted])
            .await?;
        return Ok(());
    }
    let applied = owned::view(properties, &observed.properties);
    let resource = record::resource(
        world,
        address,
        node,
        &identifier,
        1,
        applied,
        observed.properties,
    );
    let wanted = world
        .plan
        .graph
        .nodes
        .get(address)
        .is_some_and(|wanted| wanted.type_name == node.type_name);
    if wanted && recorded.is_none() {
        let write = Write::PutResource(resource.clone());
        attempts
            .note(log, "record what was left", vec![write], vec![adopted])
            .await?;
        world.records().insert(address.clone(), resource);
        return Ok(());
    }
    let listed = world.retained_identifiers(&node.type_name);
    let event = EventKind::Retained {
        identifier: identifier.clone(),
    };
    if listed.contains(&identifier) {
        attempts
            .note(log, "close an old attempt", vec![], vec![event])
            .await?;
    } else {
        let (write, retained) = world.retire(&resource, Reason::LeftBehind);
        attempts
            .note(log, "list what was left", vec![write], vec![event])
            .await?;
        world.remember(retained);
    }
    Ok(())
}

/// The node as it was planned then, or as it is now.
async fn node_of(
    world: &World<'_>,
    legacy: &Legacy,
    type_name: &str,
) -> Result<Option<Node>, Trouble> {
    let now = world.plan.graph.nodes.get(&legacy.address);
    if let Some(node) = now.filter(|node| node.type_name == type_name) {
        return Ok(Some(node.clone()));
    }
    let plan = world
        .engine
        .store
        .plan(&world.plan.organization_id, &legacy.plan_id)
        .await
        .map_err(Stop::store("read an earlier plan"))?;
    Ok(plan.and_then(|mut plan| plan.graph.nodes.remove(&legacy.address)))
}

async fn look(world: &World<'_>, maker: &Maker<'_>) -> Result<Option<Observed>, Trouble> {
    let Maker { address, node, .. } = *maker;
    let place = match world.place(node, &node.properties).await {
        Ok(place) => place,
        Err(Trouble::Stop(stop)) => return Err(stop.into()),
        Err(Trouble::Failure(failure)) => {
            // What it stood on is no longer ours to name. Failing here would
            // fail every rollout from now on.
            tracing::warn!(%address, %failure, "an old attempt cannot be looked for");
            return Ok(None);
        }
    };
    let mut exclude = world.elsewhere(address, &node.type_name);
    exclude.extend(world.retained_identifiers(&node.type_name));
    let wanted = Wanted {
        environment_id: maker.environment_id,
        address,
        node,
        desired: maker.properties,
        place,
        exclude,
    };
    let found = lookup::find(world.engine, world.hands, &wanted).await?;
    Ok(found.filter(|found| found.ours).map(|found| found.observed))
}
