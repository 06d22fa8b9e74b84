//! That the subscription is below the management group of the grant.
//!
//! Asked without a right on management groups, which the narrow role does not
//! have: what is assigned at a group counts in every subscription below it, and
//! Resource Manager lists it there (Microsoft Learn: "List Azure role
//! assignments using the REST API", `atScope()`: those of the scope and of all
//! above it). So an assignment that is listed at the group and not in the
//! subscription says that the one is not above the other.

use super::{Found, Question, Run, subscription};
use crate::{
    client::Session,
    connect::{
        ownership,
        reaper::{assignments_at, is_at},
    },
    door::Door,
};
use landfall_model::{
    check::Check,
    connection::{Guid, ManagementGroup},
    driver::{Failure, FailureKind},
};
use serde_json::Value;

fn question(run: &Run<'_>, group: &ManagementGroup) -> Question {
    Question::new(
        "azure.management-group-above",
        "The subscription is below the management group",
        format!(
            "what is assigned at the management group {group}, among the role assignments that \
             count in {}",
            run.subscription()
        ),
    )
}

/// None without a management group, here and below.
pub(super) fn skip(run: &Run<'_>, why: &str) -> Option<Check> {
    let group = run.azure.management_group()?;
    let found = Found::skipped(why);
    Some(run.recorder.noted(question(run, group), found))
}

/// For whom the subscription answered.
pub(super) async fn check(run: &Run<'_>, session: &Session<'_>) -> Option<Check> {
    let group = run.azure.management_group()?;
    let look = from_below(run, session, group);
    Some(run.recorder.record(question(run, group), look).await)
}

/// For whom it did not. Where it is not there, or is in another tenant, the
/// group is not what is wrong.
pub(super) async fn unseen(
    run: &Run<'_>,
    session: &Session<'_>,
    failure: &Failure,
) -> Option<Check> {
    let group = run.azure.management_group()?;
    if failure.kind == FailureKind::Denied {
        let look = from_above(run, session, group, false);
        return Some(run.recorder.record(question(run, group), look).await);
    }
    let cause = subscription::cause(failure);
    skip(
        run,
        &format!("not asked: the subscription is not visible to us; see {cause}"),
    )
}

async fn from_below(run: &Run<'_>, session: &Session<'_>, group: &ManagementGroup) -> Found {
    let subscription = run.subscription();
    let listed = run
        .recorder
        .patiently(|| assignments_at(session, &subscription))
        .await;
    match listed {
        Ok(all) if all.iter().any(|one| is_at(one, &run.azure.grant_scope())) => Found::pass(
            format!("what is assigned at the management group {group} counts in the subscription"),
        ),
        Err(failure) if failure.kind.is_retryable() => run.recorder.failed(&failure, ""),
        _ => from_above(run, session, group, true).await,
    }
}

async fn from_above(
    run: &Run<'_>,
    session: &Session<'_>,
    group: &ManagementGroup,
    subscription_answers: bool,
) -> Found {
    let scope = run.azure.grant_scope();
    let listed = run
        .recorder
        .patiently(|| assignments_at(session, &scope))
        .await;
    let id = run.azure.subscription_id();
    match listed {
        Ok(all)
            if all
                .iter()
                .any(|one| is_at(one, &scope) && told(run, session, one)) =>
        {
            run.recorder.denied(
                format!(
                    "a role is assigned at the management group {group} and does not count in the \
                     subscription {id}: it is not below the group"
                ),
                format!(
                    "if the group is wrong: disconnect, and connect with one that the \
                     subscription is below, or without one. If it is right, run: az account \
                     management-group subscription add --name '{group}' --subscription {id}, \
                     which changes what the subscription inherits: policies and roles"
                ),
            )
        }
        Err(failure) if failure.kind.is_retryable() => run.recorder.failed(&failure, ""),
        _ if subscription_answers => Found::warn(
            format!(
                "not visible to us: nothing that we may see is assigned at the management group \
                 {group}, so whether it is above the subscription cannot be told"
            ),
            format!(
                "check the group's id: the portal shows it under Management groups, beside the \
                 name; then run the script again, which assigns the roles at {scope}"
            ),
        ),
        _ => Found::skipped(format!(
            "not visible to us: neither the subscription nor the management group {group} shows \
             its role assignments; see whether the provisioner has a role"
        )),
    }
}

/// Whether it may be told that an assignment is there: where all customers are
/// entered as one application, only to whom it belongs.
fn told(run: &Run<'_>, session: &Session<'_>, assignment: &Value) -> bool {
    let Door::Application { .. } = run.connector.door else {
        return true;
    };
    let us = session.said.object_id.as_ref().map(Guid::as_str);
    ownership::counts(assignment, us, run.azure)
}
