//! What comes after a stack's work is over.

use super::moves::scope;
use super::stack::{Action, Goal, OnFailure, OutputValue, Stack, Status, StepState, Work};
use super::steps::{deletion, restoration};
use super::template::Template;
use crate::clock::SimTime;
use crate::cloudcontrol::Place;
use crate::world::World;
use serde_json::Value;
use std::collections::BTreeSet;

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
pub(super) fn conclude(world: &World, place: &Place, stack: &mut Stack, work: &Work) {
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
                stack.resources.retain(|name, resource| {
                    let Some(before) = previous.resources.get(name) else {
                        return false;
                    };
                    resource.needs.clone_from(&before.needs);
                    resource.deletion = before.deletion;
                    resource.keeps_replaced = before.keeps_replaced;
                    true
                });
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
