//! Requests that were accepted: their status, their list, their cancellation.

use super::api::required;
use super::env::Place;
use super::failure::Failure;
use super::permissions;
use super::read::{next_token, page};
use super::state::{Course, Operation, REQUEST_LIFE, Region, Stage};
use crate::clock::SimTime;
use crate::iam::Caller;
use crate::wire::AwsError;
use crate::world::World;
use serde_json::{Value, json};

fn region<'w>(world: &'w World, place: &Place) -> Option<&'w Region> {
    world
        .accounts
        .get(&place.account)?
        .cloudcontrol
        .get(&place.region)
}

fn find<'w>(world: &'w World, place: &Place, token: &str) -> Result<&'w Operation, AwsError> {
    region(world, place)
        .and_then(|region| region.operations.get(token))
        .filter(|operation| {
            !operation.is_over() || world.now().since(operation.accepted_at) < REQUEST_LIFE
        })
        .ok_or_else(|| {
            AwsError::bad(
                "RequestTokenNotFoundException",
                format!("Request token {token} was not found."),
            )
        })
}

/// The answer that carries a request's ProgressEvent.
pub(super) fn event(world: &World, place: &Place, token: &str) -> Result<Value, AwsError> {
    let operation = find(world, place, token)?;
    Ok(json!({ "ProgressEvent": operation.event(world.now()) }))
}

pub(super) fn status(
    world: &World,
    caller: &Caller,
    region: &str,
    input: &Value,
) -> Result<Value, AwsError> {
    permissions::api(world, caller, region, "GetResourceRequestStatus")?;
    let place = Place::new(&caller.account_id, region);
    event(world, &place, required(input, "RequestToken")?)
}

/// Newest first.
pub(super) fn list(
    world: &World,
    caller: &Caller,
    region_name: &str,
    input: &Value,
) -> Result<Value, AwsError> {
    permissions::api(world, caller, region_name, "ListResourceRequests")?;
    let place = Place::new(&caller.account_id, region_name);
    let now = world.now();
    let (after, size) = page(input)?;
    let filter = &input["ResourceRequestStatusFilter"];
    let wanted = |name: &str, value: &str| match filter.get(name).and_then(Value::as_array) {
        Some(values) if !values.is_empty() => values.iter().any(|wanted| wanted == value),
        _ => true,
    };
    let mut operations: Vec<&Operation> = region(world, &place)
        .into_iter()
        .flat_map(|region| region.operations.values())
        .filter(|operation| operation.listed)
        .filter(|operation| now.since(operation.accepted_at) < REQUEST_LIFE)
        .filter(|operation| wanted("Operations", operation.kind.as_str()))
        .filter(|operation| wanted("OperationStatuses", operation.status(now)))
        .collect();
    operations.sort_by(|one, other| {
        (other.accepted_at, &other.token).cmp(&(one.accepted_at, &one.token))
    });
    let start = match after {
        None => 0,
        Some(after) => operations
            .iter()
            .position(|operation| operation.token == after)
            .map_or(operations.len(), |at| at + 1),
    };
    let rest = &operations[start..];
    let summaries: Vec<Value> = rest
        .iter()
        .take(size)
        .map(|operation| operation.event(now))
        .collect();
    let mut answer = json!({ "ResourceRequestStatusSummaries": summaries });
    if rest.len() > size {
        answer["NextToken"] = next_token(&rest[size - 1].token);
    }
    Ok(answer)
}

pub(super) fn cancel(
    world: &mut World,
    caller: &Caller,
    region: &str,
    input: &Value,
) -> Result<Value, AwsError> {
    permissions::api(world, caller, region, "CancelResourceRequest")?;
    let place = Place::new(&caller.account_id, region);
    let token = required(input, "RequestToken")?;
    let now = world.now();
    let stage = find(world, &place, token)?.stage.clone();
    match stage {
        Stage::Running => {}
        Stage::Cancelling { .. } | Stage::Cancelled { .. } => {
            return event(world, &place, token);
        }
        Stage::Succeeded { .. } | Stage::Failed { .. } => {
            return Err(AwsError::bad(
                "ConcurrentModificationException",
                "Only resource operation requests with a status of PENDING or IN_PROGRESS can be \
                 cancelled.",
            ));
        }
    }
    if let Some(operation) = world
        .accounts
        .get_mut(&place.account)
        .and_then(|account| account.cloudcontrol.get_mut(&place.region))
        .and_then(|region| region.operations.get_mut(token))
    {
        operation.stage = Stage::Cancelling {
            since: now,
            begun: now >= operation.starts_at,
        };
    }
    event(world, &place, token)
}

/// How far an operation has come, for those who wait for it inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    Running,
    Succeeded {
        identifier: String,
        at: SimTime,
    },
    Failed {
        /// What may have been left behind.
        identifier: Option<String>,
        failure: Failure,
        at: SimTime,
    },
}

/// The progress of an operation; one that is gone has failed.
pub(crate) fn progress(world: &World, place: &Place, token: &str) -> Progress {
    let Some(operation) = region(world, place).and_then(|region| region.operations.get(token))
    else {
        return Progress::Failed {
            identifier: None,
            failure: Failure::general("The request is forgotten."),
            at: world.now(),
        };
    };
    match &operation.stage {
        Stage::Running | Stage::Cancelling { .. } => Progress::Running,
        Stage::Succeeded { at } => Progress::Succeeded {
            identifier: operation.identifier.clone(),
            at: *at,
        },
        Stage::Failed { at, failure } => Progress::Failed {
            identifier: matches!(operation.course, Course::FailButDone(_))
                .then(|| operation.identifier.clone()),
            failure: failure.clone(),
            at: *at,
        },
        Stage::Cancelled { at } => Progress::Failed {
            identifier: None,
            failure: Failure::general("The request was cancelled."),
            at: *at,
        },
    }
}
