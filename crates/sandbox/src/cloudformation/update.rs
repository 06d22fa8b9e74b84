//! Changing a stack to another template or other parameters.

use super::operations::{
    Source, Wanted, acting, allow, check_capability, fetch, find, missing, parse, state_mut,
};
use super::run::settle_until;
use super::stack::{Action, Goal, Previous, Stack, Status, Work};
use super::steps::{blank, deletion_steps, included, steps_in_order};
use super::template::Template;
use crate::cloudcontrol::Place;
use crate::iam::Caller;
use crate::wire::AwsError;
use crate::world::World;
use std::collections::BTreeMap;

/// Updates a stack and returns its id.
pub(crate) fn update(
    world: &mut World,
    caller: &Caller,
    region: &str,
    wanted: &Wanted,
) -> Result<String, AwsError> {
    allow(world, caller, region, "UpdateStack", Some(&wanted.name))?;
    change(
        world,
        caller,
        &Place::new(&caller.account_id, region),
        wanted,
    )
}

/// Updates a stack that the caller was allowed to update.
pub(super) fn change(
    world: &mut World,
    caller: &Caller,
    place: &Place,
    wanted: &Wanted,
) -> Result<String, AwsError> {
    let stack = find(world, place, &wanted.name)
        .ok_or_else(|| missing(&wanted.name))?
        .clone();
    let updatable = matches!(
        stack.status,
        Status::CreateComplete | Status::UpdateComplete | Status::UpdateRollbackComplete
    );
    if !updatable {
        return Err(AwsError::validation(format!(
            "Stack:{} is in {} state and can not be updated.",
            stack.id,
            stack.status.as_str()
        )));
    }
    let body = match wanted.source {
        Source::Previous => stack.body.clone(),
        _ => fetch(world, &wanted.source)?,
    };
    let template = parse(&body)?;
    let mut given = wanted.parameters.clone();
    for name in &wanted.kept {
        if let Some(value) = stack.parameters.get(name) {
            given.insert(name.clone(), value.clone());
        }
    }
    let parameters = template.values(&given).map_err(AwsError::validation)?;
    check_capability(&template, &wanted.capabilities)?;
    if body == stack.body && parameters == stack.parameters && wanted.tags == stack.tags {
        return Err(AwsError::validation("No updates are to be performed."));
    }
    let role = wanted.role_arn.as_ref().or(stack.role_arn.as_ref());
    let acting = acting(world, caller, role.map(String::as_str))?;
    begin_update(
        world, place, stack, acting, body, &template, parameters, wanted,
    )
}

#[expect(clippy::too_many_arguments, reason = "every one is a different noun")]
fn begin_update(
    world: &mut World,
    place: &Place,
    mut stack: Stack,
    acting: Caller,
    body: String,
    template: &Template,
    parameters: BTreeMap<String, String>,
    wanted: &Wanted,
) -> Result<String, AwsError> {
    let now = world.now();
    stack.previous = Some(Previous {
        body: std::mem::replace(&mut stack.body, body),
        parameters: std::mem::replace(&mut stack.parameters, parameters),
        tags: std::mem::replace(&mut stack.tags, wanted.tags.clone()),
        resources: stack.resources.clone(),
    });
    stack.caller = acting;
    stack.capabilities.clone_from(&wanted.capabilities);
    stack.updated_at = Some(now);
    let names = included(world, place, &stack, template).map_err(AwsError::validation)?;
    for name in &names {
        let Some(declared) = blank(template, name, now) else {
            continue;
        };
        match stack.resources.get_mut(name) {
            Some(known) if known.type_name != declared.type_name => {
                return Err(AwsError::validation(format!(
                    "Update of resource type is not permitted. The new template modifies resource \
                     type of the following resources: [{name}]"
                )));
            }
            Some(known) => {
                known.needs = declared.needs;
                known.deletion = declared.deletion;
                known.keeps_replaced = declared.keeps_replaced;
            }
            None => {
                stack.resources.insert(name.clone(), declared);
            }
        }
    }
    stack.turn(
        now,
        Status::UpdateInProgress,
        Some("User Initiated".to_owned()),
    );
    let mut steps = steps_in_order(&stack, &names, Action::Update);
    for step in &mut steps {
        let is_new = stack
            .resources
            .get(&step.logical_id)
            .is_some_and(|resource| resource.parts.is_empty());
        if is_new {
            step.action = Action::Create;
        }
    }
    let gone: Vec<String> = stack
        .resources
        .keys()
        .filter(|name| !names.contains(name))
        .cloned()
        .collect();
    let after: Vec<usize> = (0..steps.len()).collect();
    steps.extend(deletion_steps(&stack, &gone, after.len(), &after));
    stack.work = Some(Work {
        goal: Goal::Update,
        started_at: now,
        steps,
    });
    let id = stack.id.clone();
    state_mut(world, place)?.stacks.insert(id.clone(), stack);
    settle_until(world, now);
    Ok(id)
}
