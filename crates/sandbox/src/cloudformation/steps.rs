//! The steps of a stack's work, and their order.

use super::moves::scope;
use super::stack::{Action, Goal, Stack, StackResource, Step, StepState, Work};
use super::template::Template;
use crate::clock::SimTime;
use crate::cloudcontrol::Place;
use crate::world::World;
use std::collections::BTreeSet;

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
