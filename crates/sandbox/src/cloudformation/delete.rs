//! Deleting a stack.

use super::operations::{acting, allow, find, state_mut};
use super::run::settle_until;
use super::stack::{Goal, OnFailure, Stack, Status, StepState};
use super::steps::deletion;
use crate::cloudcontrol::Place;
use crate::iam::Caller;
use crate::wire::AwsError;
use crate::world::World;

/// Deletes a stack. One that is not there is deleted already.
pub(crate) fn delete(
    world: &mut World,
    caller: &Caller,
    region: &str,
    name: &str,
    retained: &[String],
    role_arn: Option<&str>,
) -> Result<(), AwsError> {
    allow(world, caller, region, "DeleteStack", Some(name))?;
    let place = Place::new(&caller.account_id, region);
    let Some(stack) = find(world, &place, name) else {
        return Ok(());
    };
    if stack.status == Status::DeleteComplete || stack.status == Status::DeleteInProgress {
        return Ok(());
    }
    let mut stack = stack.clone();
    if stack.protected {
        return Err(AwsError::validation(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.name
        )));
    }
    if stack.status == Status::CreateInProgress {
        return abandon(world, &place, stack);
    }
    if stack.status.is_in_progress() {
        return Err(AwsError::validation(format!(
            "Stack [{}] is in {} state and can not be deleted",
            stack.name,
            stack.status.as_str()
        )));
    }
    // A way out of a deletion that failed, none around the template.
    if !retained.is_empty() && stack.status != Status::DeleteFailed {
        return Err(AwsError::validation(format!(
            "Invalid operation on stack [{}]. When you delete a stack, specify which resources to \
             retain only when the stack is in the DELETE_FAILED state.",
            stack.id
        )));
    }
    let role = role_arn.or(stack.role_arn.as_deref());
    stack.caller = acting(world, caller, role)?;
    let now = world.now();
    stack.turn(
        now,
        Status::DeleteInProgress,
        Some("User Initiated".to_owned()),
    );
    for name in retained {
        if stack.resources.contains_key(name) {
            stack.tell(now, name, "DELETE_SKIPPED", None);
        }
    }
    stack.work = Some(deletion(&stack, Goal::Delete, now, retained));
    state_mut(world, &place)?
        .stacks
        .insert(stack.id.clone(), stack);
    settle_until(world, now);
    Ok(())
}

/// Gives up a creation: what runs ends, then everything is deleted.
fn abandon(world: &mut World, place: &Place, mut stack: Stack) -> Result<(), AwsError> {
    let now = world.now();
    stack.on_failure = OnFailure::Delete;
    for step in stack.work.iter_mut().flat_map(|work| &mut work.steps) {
        if matches!(step.state, StepState::Waiting) {
            step.state = StepState::Skipped;
        }
    }
    state_mut(world, place)?
        .stacks
        .insert(stack.id.clone(), stack);
    settle_until(world, now);
    Ok(())
}
