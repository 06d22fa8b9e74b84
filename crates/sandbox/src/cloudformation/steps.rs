//! The steps of a stack's work, and their order.

use super::intrinsics::Scope;
use super::moves::scope;
use super::references::references;
use super::stack::{Action, Goal, Stack, StackResource, Step, StepState, Work};
use super::template::Template;
use crate::clock::SimTime;
use crate::cloudcontrol::Place;
use crate::world::World;
use serde_json::Value;
use std::collections::BTreeSet;

/// Resources whose condition holds, in the order of their needs. What is left
/// out can be referred to by nobody who is in.
pub(super) fn included(
    world: &World,
    place: &Place,
    stack: &Stack,
    template: &Template,
) -> Result<Vec<String>, String> {
    let lists = template.lists();
    let scope = scope(world, place, stack, template, &lists);
    for name in template.conditions.keys() {
        scope.condition(name)?;
    }
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
    let resources = names
        .iter()
        .filter_map(|name| template.resources.get(name))
        .map(|declared| &declared.properties);
    check_references(&scope, template, &names, "Resources", resources)?;
    let mut outputs = Vec::new();
    for output in template.outputs.values() {
        let condition = output.condition.as_deref();
        if condition.map_or(Ok(true), |condition| scope.condition(condition))? {
            outputs.push(&output.value);
            outputs.extend(&output.export);
        }
    }
    check_references(&scope, template, &names, "Outputs", outputs)?;
    Ok(names)
}

fn check_references<'v>(
    scope: &Scope<'_>,
    template: &Template,
    names: &[String],
    block: &str,
    values: impl IntoIterator<Item = &'v Value>,
) -> Result<(), String> {
    let mut unresolved = BTreeSet::new();
    for value in values {
        let named = references(&scope.chosen(value)?);
        unresolved.extend(
            named
                .into_iter()
                .filter(|name| template.resources.contains_key(name) && !names.contains(name)),
        );
    }
    if unresolved.is_empty() {
        return Ok(());
    }
    let unresolved: Vec<String> = unresolved.into_iter().collect();
    Err(super::template::unresolved(&unresolved, block))
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
        deletion: declared.deletion,
        keeps_replaced: declared.keeps_replaced,
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
pub(super) fn restoration(stack: &Stack, at: SimTime) -> Work {
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
