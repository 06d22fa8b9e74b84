//! Whether the caller may do what a handler does on its behalf.
//!
//! Handlers act with the caller's own credentials (forward access sessions),
//! so every call that a handler makes is decided like a call of the caller.

use super::env::{Env, Place};
use super::targets::{self, Subject};
use crate::iam::{AccessDenied, Caller, Context, authorize};
use crate::types::{Change, needed_actions, service_linked_role};
use crate::wire::AwsError;
use crate::world::World;

/// The permission for a Cloud Control operation itself. Its own actions know
/// no finer resource than all of an account's (AWS docs: service
/// authorization reference, Cloud Control API).
pub(super) fn api(
    world: &World,
    caller: &Caller,
    region: &str,
    action: &str,
) -> Result<(), AwsError> {
    let resource = format!(
        "arn:aws:cloudformation:{region}:{}:resource/*",
        caller.account_id
    );
    let mut context = Context::new();
    context.set("aws:RequestedRegion", region);
    authorize(
        world,
        caller,
        &format!("cloudformation:{action}"),
        &resource,
        &context,
    )
    .map_err(|denied| denied.for_json())
}

/// All that the handler of this operation calls. `asked` is the change as the
/// caller asked for it: what defaults add needs no permission.
pub(super) fn handler(
    env: &Env<'_>,
    caller: &Caller,
    subject: &Subject<'_>,
    asked: Change<'_>,
) -> Result<(), AccessDenied> {
    for action in needed_actions(subject.type_name, subject.info, asked) {
        for (resource, context) in targets::of(env, subject, &action) {
            authorize(env.world, caller, &action, &resource, &context)?;
        }
    }
    if let Change::Create(_) = subject.change
        && let Some(linked) = service_linked_role(subject.type_name)
        && !has_role(env.world, env.place, &linked.role)
    {
        let resource = env.global_arn(
            "iam",
            &format!("role/aws-service-role/{}/{}", linked.service, linked.role),
        );
        let mut context = targets::via_cloud_control(env.place);
        context.set("iam:AWSServiceName", &linked.service);
        authorize(
            env.world,
            caller,
            "iam:CreateServiceLinkedRole",
            &resource,
            &context,
        )?;
    }
    Ok(())
}

pub(super) fn has_role(world: &World, place: &Place, name: &str) -> bool {
    world
        .accounts
        .get(&place.account)
        .is_some_and(|account| account.iam.role(name).is_ok())
}
