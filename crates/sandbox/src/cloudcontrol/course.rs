//! How an accepted operation goes.

use super::env::Env;
use super::failure::{Failure, HandlerErrorCode, concurrent};
use super::operate::Request;
use super::state::{Course, InFlight, Operation, OperationKind, PENDING, Reveal, Stage, key};
use crate::faults::{FaultKind, Probe};
use crate::wire::AwsError;
use crate::world::World;
use std::time::Duration;

/// How long it takes a handler to find out that it cannot.
pub(super) const REFUSAL: Duration = Duration::from_secs(1);

pub(super) fn refuse_concurrent(
    env: &Env<'_>,
    type_name: &str,
    identifier: &str,
) -> Result<(), AwsError> {
    let busy = env
        .home(type_name)
        .is_some_and(|region| region.in_flight(type_name, identifier).is_some());
    if busy {
        return Err(concurrent(type_name, identifier));
    }
    Ok(())
}

/// Whether the operation will ever end, besides how.
pub(super) struct Ending {
    pub never: bool,
}

/// How the operation goes: an obstacle decides, then a fault that was asked
/// for, then nothing.
pub(super) fn decide(
    world: &mut World,
    request: &Request<'_>,
    kind: OperationKind,
    identifier: &str,
    obstacle: Option<Failure>,
) -> (Course, Ending) {
    if let Some(failure) = obstacle {
        return (Course::Fail(failure), Ending { never: false });
    }
    let operation = match kind {
        OperationKind::Create => "CreateResource",
        OperationKind::Update => "UpdateResource",
        OperationKind::Delete => "DeleteResource",
    };
    let probe = Probe {
        account: &request.place.account,
        region: &request.place.region,
        service: "cloudcontrolapi",
        operation,
        type_name: Some(request.type_name),
        identifier: Some(identifier),
    };
    let failure = |code: &str, message: Option<String>| {
        let message = message.unwrap_or_else(|| "Internal error reported by the service.".into());
        Failure::new(HandlerErrorCode::from_name(code), message)
    };
    let (course, never) = match world.faults.take(&probe, |fault| !fault.is_transport()) {
        Some(FaultKind::Fail { code, message }) => (Course::Fail(failure(&code, message)), false),
        Some(FaultKind::FailWithIdentifier { code, message }) => {
            (Course::FailButDone(failure(&code, message)), false)
        }
        Some(FaultKind::NeverEnds) => (Course::Succeed, true),
        _ => (Course::Succeed, false),
    };
    (course, Ending { never })
}

pub(super) struct Accepted {
    pub kind: OperationKind,
    pub identifier: String,
    pub reveal: Reveal,
    pub seconds: u32,
    pub course: (Course, Ending),
    pub token: String,
}

pub(super) fn accept(world: &mut World, request: &Request<'_>, accepted: Accepted) -> String {
    let (course, ending) = accepted.course;
    let starts_at = request.at.plus(PENDING);
    // Ten percent either way, so that siblings do not finish in lockstep.
    let spread = 0.9 + 0.2 * world.rng.unit();
    let run = match &course {
        // A fault strikes where the operation would have ended well.
        Course::Fail(_) => REFUSAL,
        _ => Duration::from_secs_f64(f64::from(accepted.seconds) * spread),
    };
    let operation = Operation {
        token: accepted.token.clone(),
        kind: accepted.kind,
        type_name: request.type_name.to_owned(),
        identifier: accepted.identifier.clone(),
        reveal: accepted.reveal,
        accepted_at: request.at,
        starts_at,
        ends_at: (!ending.never).then(|| starts_at.plus(run)),
        course,
        stage: Stage::Running,
        listed: request.stack.is_none(),
    };
    let Some(account) = world.accounts.get_mut(&request.place.account) else {
        return accepted.token;
    };
    let home = request.place.home(request.type_name).region;
    account
        .cloudcontrol
        .entry(home)
        .or_default()
        .in_flight
        .insert(
            key(request.type_name, &accepted.identifier),
            InFlight {
                kind: accepted.kind,
                region: request.place.region.clone(),
                token: accepted.token.clone(),
            },
        );
    let region = account
        .cloudcontrol
        .entry(request.place.region.clone())
        .or_default();
    region.forget(request.at);
    region.operations.insert(accepted.token.clone(), operation);
    accepted.token
}
