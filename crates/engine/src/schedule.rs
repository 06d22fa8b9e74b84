//! Which nodes run when.

use crate::{
    engine::Stop,
    fold::{Ended, Logs, NodeLog},
    inherit,
    node::{self, NodeEnd},
    world::World,
};
use futures::{StreamExt, stream::FuturesUnordered};
use landfall_model::{
    driver::{Failure, FailureKind},
    graph::Address,
    journal::EventKind,
    plan::{Action, Change},
};
use std::collections::{BTreeMap, BTreeSet};

/// How the addresses of a plan came out.
#[derive(Default)]
pub(crate) struct Tally {
    pub done: BTreeSet<Address>,
    pub failed: BTreeMap<Address, Failure>,
    /// By what.
    pub blocked: BTreeMap<Address, Address>,
    /// Not begun because of a cancel.
    pub left: BTreeSet<Address>,
}

/// All that is ready, at once; the limiter bounds what really happens.
pub(crate) async fn schedule(world: &World<'_>, logs: &mut Logs) -> Result<Tally, Stop> {
    // First what earlier rollouts left open: its resources must be known before
    // anything looks for them or makes them again.
    let mut tally = Tally {
        failed: inherit::settle(world, logs).await?,
        ..Tally::default()
    };
    let mut waiting: BTreeMap<&Address, Waiting<'_>> = BTreeMap::new();
    let mut unchanged = Vec::new();
    for action in &world.plan.actions {
        let log = logs.nodes.remove(&action.address).unwrap_or_default();
        match &log.ended {
            _ if tally.failed.contains_key(&action.address) => {}
            Some(Ended::Done) => {
                tally.done.insert(action.address.clone());
            }
            Some(Ended::Failed(failure)) => {
                tally.failed.insert(action.address.clone(), failure.clone());
            }
            Some(Ended::Blocked) | None => {
                if let Change::NoChange { identifier } = &action.change {
                    let event = EventKind::Unchanged {
                        identifier: identifier.clone(),
                    };
                    unchanged.push(world.journal.entry(Some(&action.address), event));
                    tally.done.insert(action.address.clone());
                } else {
                    let needs = needs(world, action);
                    waiting.insert(&action.address, Waiting { action, log, needs });
                }
            }
        }
    }
    if !unchanged.is_empty() {
        let journal = world.journal;
        journal.commit("note what stays", unchanged).await?;
    }
    let mut running = FuturesUnordered::new();
    let mut stopping = None;
    let failed: Vec<Address> = tally.failed.keys().cloned().collect();
    for address in failed {
        block(world, &mut tally, &mut waiting, &address).await?;
    }
    loop {
        if stopping.is_none() {
            for Waiting { action, log, .. } in ready(world, &tally, &mut waiting) {
                running.push(async move { (action, node::run(world, action, log).await) });
            }
        }
        let Some((action, ended)) = running.next().await else {
            break;
        };
        match ended {
            Ok(NodeEnd::Done) => {
                tally.done.insert(action.address.clone());
            }
            Ok(NodeEnd::Failed(failure)) => {
                tally.failed.insert(action.address.clone(), failure);
                block(world, &mut tally, &mut waiting, &action.address).await?;
            }
            Ok(NodeEnd::Canceled) => {
                tally.left.insert(action.address.clone());
            }
            // The others end at their next wait, their calls answered and
            // journaled.
            Err(Stop::Shutdown) => stopping = Some(Stop::Shutdown),
            Err(stop) => return Err(stop),
        }
    }
    if let Some(stop) = stopping {
        return Err(stop);
    }
    if world.is_canceling() || !tally.left.is_empty() {
        tally.left.extend(waiting.into_keys().cloned());
    } else {
        for address in waiting.into_keys() {
            let failure = circular(address);
            let kind = EventKind::Failed {
                failure: failure.clone(),
            };
            let write = world.journal.entry(Some(address), kind);
            world.journal.commit("write a failure", vec![write]).await?;
            tally.failed.insert(address.clone(), failure);
        }
    }
    Ok(tally)
}

struct Waiting<'a> {
    action: &'a Action,
    log: NodeLog,
    needs: BTreeSet<Address>,
}

/// Addresses of this plan that must be done before `action`.
fn needs(world: &World<'_>, action: &Action) -> BTreeSet<Address> {
    let mut needs = action.needs.clone();
    if let Some(node) = world.plan.graph.nodes.get(&action.address) {
        needs.extend(node.dependencies());
    }
    needs.retain(|need| need != &action.address && world.plan.action(need).is_some());
    needs
}

/// Takes out what can start. Under a cancel that is only what was in flight.
fn ready<'a>(
    world: &World<'_>,
    tally: &Tally,
    waiting: &mut BTreeMap<&'a Address, Waiting<'a>>,
) -> Vec<Waiting<'a>> {
    let canceling = world.is_canceling();
    let addresses: Vec<&Address> = waiting
        .iter()
        .filter(|(_, node)| {
            if canceling {
                node.log.open().is_some()
            } else {
                node.needs.is_subset(&tally.done)
            }
        })
        .map(|(address, _)| *address)
        .collect();
    addresses
        .into_iter()
        .filter_map(|address| waiting.remove(address))
        .collect()
}

/// Everything that stands on `failed`, directly or not, is not tried.
async fn block(
    world: &World<'_>,
    tally: &mut Tally,
    waiting: &mut BTreeMap<&Address, Waiting<'_>>,
    failed: &Address,
) -> Result<(), Stop> {
    let mut writes = Vec::new();
    let mut causes = vec![failed.clone()];
    while let Some(cause) = causes.pop() {
        let standing: Vec<&Address> = waiting
            .iter()
            .filter(|(_, node)| node.needs.contains(&cause))
            .map(|(address, _)| *address)
            .collect();
        for address in standing {
            let Some(node) = waiting.remove(address) else {
                continue;
            };
            // An event from before a restart still stands.
            if !matches!(node.log.ended, Some(Ended::Blocked)) {
                let by = failed.clone();
                let event = EventKind::Blocked { by };
                writes.push(world.journal.entry(Some(address), event));
            }
            tally.blocked.insert(address.clone(), failed.clone());
            causes.push(address.clone());
        }
    }
    if writes.is_empty() {
        return Ok(());
    }
    world.journal.commit("note what is blocked", writes).await
}

fn circular(address: &Address) -> Failure {
    Failure::new(
        FailureKind::Invalid,
        "PlanCircular",
        format!("{address} waits for itself: the plan's order is circular"),
    )
}
