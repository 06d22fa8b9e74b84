//! Making, changing and deleting a stack's resources, step by step over
//! simulated time.

use super::conclude::conclude;
use super::moves::moves;
use super::stack::{Action, Goal, Move, Part, Stack, State, Step, StepState, Work};
use crate::clock::SimTime;
use crate::cloudcontrol::{self, Failure, HandlerErrorCode, Place, Progress, Request};
use crate::shared::WorldGuard;
use crate::wire::AwsError;
use crate::world::World;

/// Applies what simulated time has brought since. Writes through the guard
/// only when something is due.
pub(crate) fn settle(guard: &mut WorldGuard<'_>) {
    if busy(guard).is_empty() {
        return;
    }
    let now = guard.now();
    settle_until(guard, now);
}

/// Drives all stacks as far as they get by `now`. A step may begin and end
/// between two looks, so this goes round until nothing moves.
pub(super) fn settle_until(world: &mut World, now: SimTime) {
    loop {
        cloudcontrol::settle_until(world, now);
        let busy = busy(world);
        if busy.is_empty() {
            return;
        }
        for (place, id) in busy {
            advance(world, &place, &id);
        }
    }
}

fn state_mut<'w>(world: &'w mut World, place: &Place) -> Option<&'w mut State> {
    world
        .accounts
        .get_mut(&place.account)?
        .cloudformation
        .get_mut(&place.region)
}

/// Stacks that can move now.
fn busy(world: &World) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    for (account, held) in &world.accounts {
        for (region, state) in &held.cloudformation {
            let place = Place::new(account, region);
            for stack in state.stacks.values() {
                if stack
                    .work
                    .as_ref()
                    .is_some_and(|work| movable(world, &place, work))
                {
                    found.push((place.clone(), stack.id.clone()));
                }
            }
        }
    }
    found
}

fn movable(world: &World, place: &Place, work: &Work) -> bool {
    let running = work.steps.iter().filter_map(|step| match &step.state {
        StepState::Running { token, .. } => Some(token),
        _ => None,
    });
    let mut any = false;
    for token in running {
        any = true;
        if cloudcontrol::progress(world, place, token) != Progress::Running {
            return true;
        }
    }
    // Nothing runs: either something can begin, or all is over.
    !any
}

/// Moves one stack on.
fn advance(world: &mut World, place: &Place, id: &str) {
    // Out of the world while it is worked on: its steps change the world too.
    let Some(mut stack) = state_mut(world, place).and_then(|state| state.stacks.remove(id)) else {
        return;
    };
    if let Some(mut work) = stack.work.take() {
        collect(world, place, &mut stack, &mut work);
        begin(world, place, &mut stack, &mut work);
        let over = !work
            .steps
            .iter()
            .any(|step| matches!(step.state, StepState::Waiting | StepState::Running { .. }));
        if over {
            conclude(world, place, &mut stack, &work);
        } else {
            stack.work = Some(work);
        }
    }
    if let Some(state) = state_mut(world, place) {
        state.stacks.insert(id.to_owned(), stack);
    }
}

/// Looks at what has ended, and goes on with the next operation of its step.
fn collect(world: &mut World, place: &Place, stack: &mut Stack, work: &mut Work) {
    for step in &mut work.steps {
        while let StepState::Running {
            token,
            current,
            rest,
        } = step.state.clone()
        {
            let (identifier, failure, at) = match cloudcontrol::progress(world, place, &token) {
                Progress::Running => break,
                Progress::Succeeded { identifier, at } => (Some(identifier), None, at),
                // Somebody was faster: what is gone need not be deleted.
                Progress::Failed { failure, at, .. }
                    if failure.code == HandlerErrorCode::NotFound
                        && matches!(current, Move::Delete { .. }) =>
                {
                    (None, None, at)
                }
                Progress::Failed {
                    identifier,
                    failure,
                    at,
                } => (identifier, Some(failure), at),
            };
            if failure.is_none() || identifier.is_some() {
                record(stack, &step.logical_id, &current, identifier);
            }
            step.state = match failure {
                Some(failure) => fail(stack, step, reason(&failure, &token), at),
                None => go_on(world, place, stack, step, rest, at),
            };
        }
    }
}

fn reason(failure: &Failure, token: &str) -> String {
    format!(
        "Resource handler returned message: \"{}\" (RequestToken: {token}, HandlerErrorCode: {})",
        failure.message,
        failure.code.as_str()
    )
}

/// Writes down what an operation did.
fn record(stack: &mut Stack, logical_id: &str, done: &Move, identifier: Option<String>) {
    let Some(resource) = stack.resources.get_mut(logical_id) else {
        return;
    };
    match done {
        Move::Create { type_name, desired } => {
            if let Some(identifier) = identifier {
                resource.parts.push(Part {
                    type_name: type_name.clone(),
                    identifier,
                    desired: cloudcontrol::without_secrets(desired),
                });
            }
        }
        Move::Update {
            identifier,
            desired,
            ..
        } => {
            for part in &mut resource.parts {
                if part.identifier == *identifier {
                    part.desired = cloudcontrol::without_secrets(desired);
                }
            }
        }
        Move::Delete { identifier, .. } => {
            resource.parts.retain(|part| part.identifier != *identifier);
        }
        Move::Release(released) => resource.parts.retain(|part| part != released),
        Move::Adopt(part) => resource.parts.push(part.clone()),
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "CREATE",
        Action::Update | Action::Restore => "UPDATE",
        Action::Delete => "DELETE",
    }
}

fn fail(stack: &mut Stack, step: &Step, reason: String, at: SimTime) -> StepState {
    let status = format!("{}_FAILED", verb(step.action));
    stack.tell(at, &step.logical_id, &status, Some(reason));
    StepState::Failed { at }
}

/// Begins the next operation of a step, or ends the step.
fn go_on(
    world: &mut World,
    place: &Place,
    stack: &mut Stack,
    step: &Step,
    mut moves: Vec<Move>,
    at: SimTime,
) -> StepState {
    while matches!(moves.first(), Some(Move::Release(_) | Move::Adopt(_))) {
        record(stack, &step.logical_id, &moves.remove(0), None);
    }
    if moves.is_empty() {
        let status = format!("{}_COMPLETE", verb(step.action));
        stack.tell(at, &step.logical_id, &status, None);
        return StepState::Done { at };
    }
    let current = moves.remove(0);
    match start(world, place, stack, &current, at) {
        Ok(token) => StepState::Running {
            token,
            current,
            rest: moves,
        },
        Err(error) => fail(stack, step, error.message, at),
    }
}

fn start(
    world: &mut World,
    place: &Place,
    stack: &Stack,
    step: &Move,
    at: SimTime,
) -> Result<String, AwsError> {
    let request = |type_name| Request {
        caller: &stack.caller,
        place,
        type_name,
        at,
        stack: Some(&stack.id),
    };
    match step {
        Move::Create { type_name, desired } => {
            cloudcontrol::create(world, &request(type_name), desired.clone())
        }
        Move::Update {
            type_name,
            identifier,
            before,
            desired,
        } => cloudcontrol::update(world, &request(type_name), identifier, |_, seen| {
            let mut after = seen.clone();
            for name in before.keys().filter(|name| !desired.contains_key(*name)) {
                after.remove(name);
            }
            after.extend(desired.clone());
            Ok(after)
        }),
        Move::Delete {
            type_name,
            identifier,
        } => cloudcontrol::delete(world, &request(type_name), identifier),
        Move::Release(_) | Move::Adopt(_) => {
            Err(AwsError::internal("this move is no operation of its own"))
        }
    }
}

/// Begins every step whose needs are over.
fn begin(world: &mut World, place: &Place, stack: &mut Stack, work: &mut Work) {
    let gives_up = matches!(work.goal, Goal::Create | Goal::Update)
        && work
            .steps
            .iter()
            .any(|step| matches!(step.state, StepState::Failed { .. }));
    loop {
        let mut moved = false;
        for index in 0..work.steps.len() {
            if !matches!(work.steps[index].state, StepState::Waiting) {
                continue;
            }
            let step = work.steps[index].clone();
            let state = match readiness(work, &step) {
                _ if gives_up => StepState::Skipped,
                Readiness::NotYet => continue,
                Readiness::Never => StepState::Skipped,
                Readiness::Since(at) => {
                    if step.action == Action::Delete && is_kept(stack, &step.logical_id, work.goal)
                    {
                        stack.tell(at, &step.logical_id, "DELETE_SKIPPED", None);
                        StepState::Done { at }
                    } else {
                        begin_step(world, place, stack, &step, at)
                    }
                }
            };
            work.steps[index].state = state;
            moved = true;
        }
        if !moved {
            break;
        }
    }
    let runs = |step: &Step| matches!(step.state, StepState::Running { .. });
    if !work.steps.iter().any(runs) {
        // Steps that wait for each other would wait for ever.
        for step in &mut work.steps {
            if matches!(step.state, StepState::Waiting) {
                step.state = StepState::Skipped;
            }
        }
    }
}

fn is_kept(stack: &Stack, logical_id: &str, goal: Goal) -> bool {
    stack
        .resources
        .get(logical_id)
        .is_some_and(|resource| resource.deletion.keeps(goal))
}

enum Readiness {
    NotYet,
    /// What it needs has failed.
    Never,
    Since(SimTime),
}

fn readiness(work: &Work, step: &Step) -> Readiness {
    let mut since = work.started_at;
    for need in &step.needs {
        match &work.steps[*need].state {
            StepState::Waiting | StepState::Running { .. } => return Readiness::NotYet,
            StepState::Failed { .. } | StepState::Skipped => return Readiness::Never,
            StepState::Done { at } => since = since.max(*at),
        }
    }
    Readiness::Since(since)
}

fn begin_step(
    world: &mut World,
    place: &Place,
    stack: &mut Stack,
    step: &Step,
    at: SimTime,
) -> StepState {
    match moves(world, place, stack, step) {
        Ok(moves) => {
            // An update that changes nothing makes no event.
            if !moves.is_empty() {
                let status = format!("{}_IN_PROGRESS", verb(step.action));
                stack.tell(at, &step.logical_id, &status, None);
            } else if step.action != Action::Create {
                return StepState::Done { at };
            }
            go_on(world, place, stack, step, moves, at)
        }
        Err(message) => {
            let status = format!("{}_IN_PROGRESS", verb(step.action));
            stack.tell(at, &step.logical_id, &status, None);
            fail(stack, step, message, at)
        }
    }
}
