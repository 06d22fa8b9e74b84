//! Making, changing and deleting a stack's resources, step by step over
//! simulated time.

use super::intrinsics::{Existing, Scope};
use super::stack::{
    Action, Goal, Move, OnFailure, OutputValue, Part, Stack, StackResource, State, Status, Step,
    StepState, Work,
};
use super::template::{INLINE_POLICY, Template};
use crate::clock::SimTime;
use crate::cloudcontrol::{self, Env, Failure, HandlerErrorCode, Place, Progress, Request};
use crate::shared::WorldGuard;
use crate::types::{self, Model};
use crate::wire::AwsError;
use crate::world::World;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const ROLE_POLICY: &str = "AWS::IAM::RolePolicy";

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
                    if step.action == Action::Delete && is_retained(stack, &step.logical_id) {
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

fn is_retained(stack: &Stack, logical_id: &str) -> bool {
    stack
        .resources
        .get(logical_id)
        .is_some_and(|resource| resource.retained)
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

/// The operations that a step takes.
fn moves(world: &World, place: &Place, stack: &Stack, step: &Step) -> Result<Vec<Move>, String> {
    let Some(resource) = stack.resources.get(&step.logical_id) else {
        return Ok(Vec::new());
    };
    let wanted: Vec<(String, Model)> = match step.action {
        Action::Create | Action::Update => wanted(world, place, stack, &step.logical_id)?,
        Action::Restore => stack
            .previous
            .as_ref()
            .and_then(|previous| previous.resources.get(&step.logical_id))
            .into_iter()
            .flat_map(|resource| &resource.parts)
            .map(|part| (part.type_name.clone(), part.desired.clone()))
            .collect(),
        Action::Delete => Vec::new(),
    };
    let mut moves = Vec::new();
    let mut obsolete = Vec::new();
    for (index, (type_name, desired)) in wanted.iter().enumerate() {
        let create = || Move::Create {
            type_name: type_name.clone(),
            desired: desired.clone(),
        };
        match resource.parts.get(index) {
            None => moves.push(create()),
            Some(part) if part.desired == cloudcontrol::without_secrets(desired) => {}
            Some(part) if replaces(part, desired) => {
                moves.push(create());
                obsolete.push(part);
            }
            Some(part) => moves.push(Move::Update {
                type_name: type_name.clone(),
                identifier: part.identifier.clone(),
                before: part.desired.clone(),
                desired: desired.clone(),
            }),
        }
    }
    obsolete.extend(resource.parts.iter().skip(wanted.len()));
    moves.extend(obsolete.into_iter().rev().map(|part| Move::Delete {
        type_name: part.type_name.clone(),
        identifier: part.identifier.clone(),
    }));
    Ok(moves)
}

/// Whether a change can only be made by making the resource anew.
fn replaces(part: &Part, desired: &Model) -> bool {
    types::lookup(&part.type_name).is_some_and(|info| {
        info.create_only
            .iter()
            .filter_map(|path| path.split('/').next())
            .any(|name| part.desired.get(name) != desired.get(name))
    })
}

/// What the template wants of a resource now.
fn wanted(
    world: &World,
    place: &Place,
    stack: &Stack,
    logical_id: &str,
) -> Result<Vec<(String, Model)>, String> {
    let template = Template::parse(&stack.body)?;
    let Some(declared) = template.resources.get(logical_id) else {
        return Ok(Vec::new());
    };
    let lists = template.lists();
    let scope = scope(world, place, stack, &template, &lists);
    let Some(Value::Object(mut properties)) = scope.resolve(&declared.properties)? else {
        return Err("Properties must be a map".to_owned());
    };
    if declared.type_name == INLINE_POLICY {
        return Ok(inline_policies(&properties));
    }
    add_stack_tags(stack, &declared.type_name, &mut properties);
    Ok(vec![(declared.type_name.clone(), properties)])
}

/// One inline policy per role.
fn inline_policies(properties: &Model) -> Vec<(String, Model)> {
    cloudcontrol::strings(properties, "Roles")
        .into_iter()
        .map(|role| {
            let mut policy = Map::new();
            policy.insert("RoleName".into(), role.into());
            for name in ["PolicyName", "PolicyDocument"] {
                if let Some(value) = properties.get(name) {
                    policy.insert(name.to_owned(), value.clone());
                }
            }
            (ROLE_POLICY.to_owned(), policy)
        })
        .collect()
}

/// A stack's tags go to every resource that can carry a list of them.
fn add_stack_tags(stack: &Stack, type_name: &str, properties: &mut Model) {
    let Some(name) = types::lookup(type_name).and_then(|info| info.taggable.as_ref()) else {
        return;
    };
    if stack.tags.is_empty() {
        return;
    }
    let own = properties
        .entry(name.clone())
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(own) = own {
        for (key, value) in &stack.tags {
            if !own.iter().any(|tag| tag["Key"] == **key) {
                own.push(serde_json::json!({"Key": key, "Value": value}));
            }
        }
    }
}

/// What functions can refer to, as the stack is now.
pub(super) fn scope<'s>(
    world: &World,
    place: &Place,
    stack: &'s Stack,
    template: &'s Template,
    lists: &'s [String],
) -> Scope<'s> {
    let env = Env::new(world, place, world.now());
    let resources = stack
        .resources
        .iter()
        .filter_map(|(name, resource)| {
            let part = resource.parts.last()?;
            let found = env.find(&part.type_name, &part.identifier)?;
            let existing = Existing {
                reference: reference(&part.type_name, &part.identifier),
                attributes: cloudcontrol::view(&env, &part.type_name, &found),
            };
            Some((name.clone(), existing))
        })
        .collect();
    Scope {
        parameters: &stack.parameters,
        lists,
        pseudo: BTreeMap::from([
            ("AWS::AccountId", place.account.clone()),
            ("AWS::Partition", "aws".to_owned()),
            ("AWS::Region", place.region.clone()),
            ("AWS::StackId", stack.id.clone()),
            ("AWS::StackName", stack.name.clone()),
            ("AWS::URLSuffix", "amazonaws.com".to_owned()),
        ]),
        conditions: &template.conditions,
        mappings: &template.mappings,
        resources,
    }
}

/// What `Ref` gives: nearly always the identifier.
pub(super) fn reference(type_name: &str, identifier: &str) -> String {
    let part = match type_name {
        "AWS::EC2::EIP" | "AWS::ECS::Service" | ROLE_POLICY => identifier.split('|').next(),
        _ => None,
    };
    part.unwrap_or(identifier).to_owned()
}

/// When the last step ended.
fn ended(work: &Work) -> SimTime {
    work.steps
        .iter()
        .filter_map(|step| match step.state {
            StepState::Done { at } | StepState::Failed { at } => Some(at),
            _ => None,
        })
        .fold(work.started_at, SimTime::max)
}

/// Decides what comes after the work is over.
fn conclude(world: &World, place: &Place, stack: &mut Stack, work: &Work) {
    let at = ended(work);
    let failed: Vec<&str> = work
        .steps
        .iter()
        .filter(|step| matches!(step.state, StepState::Failed { .. }))
        // What an update no longer wants is cleaned up as well as it goes.
        .filter(|step| work.goal != Goal::Update || step.action != Action::Delete)
        .map(|step| step.logical_id.as_str())
        .collect();
    let what = |verb: &str| {
        format!(
            "The following resource(s) failed to {verb}: [{}]. ",
            failed.join(", ")
        )
    };
    let complete = failed.is_empty()
        && !work
            .steps
            .iter()
            .any(|step| matches!(step.state, StepState::Skipped));
    match work.goal {
        Goal::Create if complete => finish(world, place, stack, at, Status::CreateComplete),
        Goal::Create => {
            let why = what("create");
            match stack.on_failure {
                OnFailure::DoNothing => stack.turn(at, Status::CreateFailed, Some(why)),
                OnFailure::Rollback => {
                    let why = format!("{why}Rollback requested by user.");
                    stack.turn(at, Status::RollbackInProgress, Some(why));
                    stack.work = Some(deletion(stack, Goal::Rollback, at, &[]));
                }
                OnFailure::Delete => {
                    let why = format!("{why}Delete requested by user.");
                    stack.turn(at, Status::DeleteInProgress, Some(why));
                    stack.work = Some(deletion(stack, Goal::Delete, at, &[]));
                }
            }
        }
        Goal::Rollback if failed.is_empty() => stack.turn(at, Status::RollbackComplete, None),
        Goal::Rollback => stack.turn(at, Status::RollbackFailed, Some(what("delete"))),
        Goal::Update if failed.is_empty() => {
            let gone: BTreeSet<String> = work
                .steps
                .iter()
                .filter(|step| step.action == Action::Delete)
                .map(|step| step.logical_id.clone())
                .collect();
            stack.resources.retain(|name, _| !gone.contains(name));
            stack.previous = None;
            finish(world, place, stack, at, Status::UpdateComplete);
        }
        Goal::Update => {
            let why = what("update");
            stack.turn(at, Status::UpdateRollbackInProgress, Some(why));
            stack.work = Some(restoration(stack, at));
        }
        Goal::UpdateRollback => {
            if let Some(previous) = stack.previous.take() {
                stack.body = previous.body;
                stack.parameters = previous.parameters;
                stack.tags = previous.tags;
                stack
                    .resources
                    .retain(|name, _| previous.resources.contains_key(name));
            }
            if failed.is_empty() {
                stack.turn(at, Status::UpdateRollbackComplete, None);
            } else {
                stack.turn(at, Status::UpdateRollbackFailed, Some(what("update")));
            }
        }
        Goal::Delete if failed.is_empty() => {
            stack.deleted_at = Some(at);
            stack.turn(at, Status::DeleteComplete, None);
        }
        Goal::Delete => stack.turn(at, Status::DeleteFailed, Some(what("delete"))),
    }
}

fn finish(world: &World, place: &Place, stack: &mut Stack, at: SimTime, status: Status) {
    match outputs(world, place, stack) {
        Ok(outputs) => {
            stack.outputs = outputs;
            stack.turn(at, status, None);
        }
        Err(message) => {
            let why = format!("Outputs could not be computed: {message}");
            stack.turn(at, Status::RollbackInProgress, Some(why));
            stack.work = Some(deletion(stack, Goal::Rollback, at, &[]));
        }
    }
}

fn outputs(world: &World, place: &Place, stack: &Stack) -> Result<Vec<OutputValue>, String> {
    let template = Template::parse(&stack.body)?;
    let lists = template.lists();
    let scope = scope(world, place, stack, &template, &lists);
    let string = |value: Option<Value>| match value {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let mut found = Vec::new();
    for (key, output) in &template.outputs {
        if let Some(condition) = &output.condition
            && !scope.condition(condition)?
        {
            continue;
        }
        let export = output.export.as_ref().map(|name| scope.resolve(name));
        found.push(OutputValue {
            key: key.clone(),
            value: string(scope.resolve(&output.value)?),
            description: output.description.clone(),
            export: export.transpose()?.map(string),
        });
    }
    Ok(found)
}

/// Resources whose condition holds, in the order of their needs.
pub(super) fn included(
    world: &World,
    place: &Place,
    stack: &Stack,
    template: &Template,
) -> Result<Vec<String>, String> {
    let lists = template.lists();
    let scope = scope(world, place, stack, template, &lists);
    let mut names = Vec::new();
    for name in template.order()? {
        let condition = template
            .resources
            .get(&name)
            .and_then(|declared| declared.condition.as_deref());
        if condition.map_or(Ok(true), |condition| scope.condition(condition))? {
            names.push(name);
        }
    }
    Ok(names)
}

/// A resource that a template declares, before there is anything of it.
pub(super) fn blank(template: &Template, name: &str, at: SimTime) -> Option<StackResource> {
    let declared = template.resources.get(name)?;
    Some(StackResource {
        type_name: declared.type_name.clone(),
        status: "CREATE_IN_PROGRESS".to_owned(),
        reason: None,
        updated_at: at,
        parts: Vec::new(),
        needs: declared.needs.clone(),
        retained: declared.retained,
    })
}

/// Steps for resources in the order of their needs.
pub(super) fn steps_in_order(stack: &Stack, names: &[String], action: Action) -> Vec<Step> {
    names
        .iter()
        .map(|name| Step {
            logical_id: name.clone(),
            action,
            needs: stack
                .resources
                .get(name)
                .into_iter()
                .flat_map(|resource| &resource.needs)
                .filter_map(|need| names.iter().position(|other| other == need))
                .collect(),
            state: StepState::Waiting,
        })
        .collect()
}

/// Deletes all resources, each before what it needs.
pub(super) fn deletion(stack: &Stack, goal: Goal, at: SimTime, kept: &[String]) -> Work {
    let names: Vec<String> = stack
        .resources
        .iter()
        .filter(|(name, resource)| !resource.parts.is_empty() && !kept.contains(name))
        .map(|(name, _)| name.clone())
        .collect();
    Work {
        goal,
        started_at: at,
        steps: deletion_steps(stack, &names, 0, &[]),
    }
}

/// Deletion steps that come at `offset` of a plan, after the steps `after`.
pub(super) fn deletion_steps(
    stack: &Stack,
    names: &[String],
    offset: usize,
    after: &[usize],
) -> Vec<Step> {
    names
        .iter()
        .map(|name| Step {
            logical_id: name.clone(),
            action: Action::Delete,
            needs: names
                .iter()
                .enumerate()
                .filter(|(_, other)| {
                    stack
                        .resources
                        .get(*other)
                        .is_some_and(|resource| resource.needs.contains(name))
                })
                .map(|(index, _)| index + offset)
                .chain(after.iter().copied())
                .collect(),
            state: StepState::Waiting,
        })
        .collect()
}

/// Returns everything to what it was before an update.
fn restoration(stack: &Stack, at: SimTime) -> Work {
    let before: BTreeSet<&String> = stack
        .previous
        .iter()
        .flat_map(|previous| previous.resources.keys())
        .collect();
    let (old, new): (Vec<String>, Vec<String>) = stack
        .resources
        .keys()
        .cloned()
        .partition(|name| before.contains(name));
    let mut steps: Vec<Step> = old
        .into_iter()
        .map(|name| Step {
            logical_id: name,
            action: Action::Restore,
            needs: Vec::new(),
            state: StepState::Waiting,
        })
        .collect();
    let after: Vec<usize> = (0..steps.len()).collect();
    let offset = steps.len();
    steps.extend(deletion_steps(stack, &new, offset, &after));
    Work {
        goal: Goal::UpdateRollback,
        started_at: at,
        steps,
    }
}
