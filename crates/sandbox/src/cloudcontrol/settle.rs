//! What time brings: operations end when somebody next looks.

use super::env::{Env, Place};
use super::failure::{Failure, HandlerErrorCode};
use super::make::moment;
use super::rules;
use super::state::{Course, Operation, OperationKind, Resource, Stage, key};
use super::{env, iam_backed};
use crate::clock::SimTime;
use crate::shared::WorldGuard;
use crate::world::World;
use std::time::Duration;

/// How long a deleted secret can be restored and holds its name.
const RECOVERY_WINDOW: Duration = Duration::from_secs(30 * 86_400);

/// Applies what simulated time has brought since. Writes through the guard
/// only when something is due.
pub(crate) fn settle(guard: &mut WorldGuard<'_>) {
    let now = guard.now();
    if due(guard, now).is_empty() {
        return;
    }
    settle_until(guard, now);
}

/// Ends every operation that is due at `now`, in order of their times.
pub(crate) fn settle_until(world: &mut World, now: SimTime) {
    for (at, place, token) in due(world, now) {
        finish(world, &place, &token, at);
    }
}

fn due(world: &World, now: SimTime) -> Vec<(SimTime, Place, String)> {
    let mut due: Vec<(SimTime, Place, String)> = Vec::new();
    for (account, state) in &world.accounts {
        for held in state.cloudcontrol.values() {
            let ended = held
                .in_flight
                .values()
                .filter_map(|change| {
                    let operation = state.cloudcontrol.get(&change.region)?;
                    let operation = operation.operations.get(&change.token)?;
                    let at = operation.due().filter(|at| *at <= now)?;
                    Some((at, change))
                })
                .map(|(at, change)| {
                    (
                        at,
                        Place::new(account, &change.region),
                        change.token.clone(),
                    )
                });
            due.extend(ended);
        }
    }
    due.sort_by(|one, other| (one.0, &one.2).cmp(&(other.0, &other.2)));
    due
}

fn finish(world: &mut World, place: &Place, token: &str, at: SimTime) {
    let Some(mut operation) = world
        .accounts
        .get(&place.account)
        .and_then(|account| account.cloudcontrol.get(&place.region))
        .and_then(|region| region.operations.get(token))
        .cloned()
    else {
        return;
    };
    operation.stage = match operation.stage.clone() {
        Stage::Running => match operation.course.clone() {
            Course::Succeed => match complete(world, place, &operation, at) {
                Ok(()) => Stage::Succeeded { at },
                Err(failure) => Stage::Failed { at, failure },
            },
            Course::FailButDone(failure) => {
                // A deletion that failed has deleted nothing.
                if operation.kind == OperationKind::Create {
                    make_ready(
                        world,
                        place,
                        &operation.type_name,
                        &operation.identifier,
                        at,
                    );
                }
                Stage::Failed { at, failure }
            }
            Course::Fail(failure) => Stage::Failed { at, failure },
        },
        Stage::Cancelling { begun, .. } => {
            let does = !matches!(operation.course, Course::Fail(_));
            let done = if begun && does {
                complete(world, place, &operation, at)
            } else if operation.kind == OperationKind::Create && does {
                remove(
                    world,
                    place,
                    &operation.type_name,
                    &operation.identifier,
                    at,
                )
            } else {
                Ok(())
            };
            if let Err(failure) = done {
                tracing::debug!(%failure, token, "cancelled, and kept");
            }
            Stage::Cancelled { at }
        }
        over => over,
    };
    let Some(account) = world.accounts.get_mut(&place.account) else {
        return;
    };
    let home = place.home(&operation.type_name).region;
    if let Some(region) = account.cloudcontrol.get_mut(&home) {
        region
            .in_flight
            .remove(&key(&operation.type_name, &operation.identifier));
    }
    if let Some(region) = account.cloudcontrol.get_mut(&place.region) {
        region.operations.insert(token.to_owned(), operation);
    }
}

fn complete(
    world: &mut World,
    place: &Place,
    operation: &Operation,
    at: SimTime,
) -> Result<(), Failure> {
    match operation.kind {
        OperationKind::Create => {
            make_ready(
                world,
                place,
                &operation.type_name,
                &operation.identifier,
                at,
            );
            Ok(())
        }
        OperationKind::Update => Ok(()),
        OperationKind::Delete => remove(
            world,
            place,
            &operation.type_name,
            &operation.identifier,
            at,
        ),
    }
}

/// Completes a resource with what is only known when its creation is done.
pub(super) fn make_ready(
    world: &mut World,
    place: &Place,
    type_name: &str,
    identifier: &str,
    at: SimTime,
) {
    let env = Env::new(world, place, at);
    let Some(found) = env.find(type_name, identifier) else {
        return;
    };
    let mut properties = found.properties.clone();
    rules::of(type_name).ready(&env, &mut properties);
    let rng = env.into_rng();
    world.rng = rng;
    let home = place.home(type_name).region;
    if let Some(resource) = world
        .accounts
        .get_mut(&place.account)
        .and_then(|account| account.cloudcontrol.get_mut(&home))
        .and_then(|region| region.resource_mut(type_name, identifier))
    {
        resource.properties = properties;
        resource.ready = true;
    }
}

/// Removes a resource and what disappears with it. Fails when IAM keeps it:
/// the checks were made when the deletion was accepted, and somebody may have
/// begun to use the entity since.
pub(super) fn remove(
    world: &mut World,
    place: &Place,
    type_name: &str,
    identifier: &str,
    at: SimTime,
) -> Result<(), Failure> {
    let moment = moment(world, at);
    let env = Env::new(world, place, at);
    let rules = rules::of(type_name);
    let arn = env
        .find(type_name, identifier)
        .map(|resource| rules.arn(&env, &resource.properties));
    let refers = |resource: &Resource, property: &str| {
        [&resource.properties, &resource.hidden]
            .into_iter()
            .filter_map(|model| env::text(model, property))
            .any(|value| value == identifier || Some(value) == arn.as_deref())
    };
    let dependents: Vec<(&'static str, String)> = rules
        .dependents()
        .iter()
        .flat_map(|(dependent, property)| {
            env.all(dependent)
                .into_iter()
                .filter(|resource| refers(resource, property))
                .map(|resource| (*dependent, resource.identifier.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    for (dependent, identifier) in dependents {
        remove(world, place, dependent, &identifier, at)?;
    }
    let Some(account) = world.accounts.get_mut(&place.account) else {
        return Ok(());
    };
    let home = place.home(type_name).region;
    if iam_backed::keeps(type_name) {
        return match iam_backed::delete(&mut account.iam, &moment, type_name, identifier) {
            // Somebody was faster.
            Err(failure) if failure.code == HandlerErrorCode::NotFound => Ok(()),
            done => done,
        };
    }
    if type_name == rules::SERVICE_LINKED_ROLE
        && let Err(error) = account.iam.remove_role(identifier)
    {
        tracing::debug!(%error, identifier, "no such role any more");
    }
    let Some(region) = account.cloudcontrol.get_mut(&home) else {
        return Ok(());
    };
    if let Some(gone) = region.take(type_name, identifier)
        && type_name == rules::SECRET
        && let Some(name) = env::text(&gone.properties, "Name")
    {
        region
            .held_names
            .insert(name.to_owned(), at.plus(RECOVERY_WINDOW));
    }
    Ok(())
}
