//! One AWS call: authenticate, parse, let the service act, remember, answer.

use super::authenticate::{Authenticated, authenticate};
use super::request::Captured;
use super::server::settle;
use super::unsigned;
use crate::faults::{FaultKind, Probe};
use crate::iam::Caller;
use crate::log::{Entry, Subject};
use crate::shared::{Luck, Shared};
use crate::wire::{
    AwsError, Call, Input, Params, Protocol, Rendered, Reply, Service, failure, render,
};
use crate::{account, cloudcontrol, cloudformation, iam, sts};
use serde_json::Value;
use std::sync::Arc;

/// What happens to the caller.
pub(super) enum Outcome {
    Answer {
        rendered: Rendered,
        request_id: String,
    },
    /// The connection closes without a word.
    Lost,
}

pub(super) async fn call(shared: &Arc<Shared>, request: &Captured) -> Outcome {
    settle(shared);
    let request_id = request_id(shared, request);
    let mut entry = Entry {
        request_id: request_id.clone(),
        ..Entry::default()
    };
    {
        let world = shared.world();
        entry.time = world.clock.machine().iso8601_millis();
        entry.simulated_time = world.now().iso8601_millis();
    }
    let (rendered, lost) = if unsigned::concerns(request) {
        unsigned::act(shared, request, &request_id, &mut entry).await
    } else {
        match authenticate(shared, request) {
            Ok(authenticated) => act(shared, request, &request_id, authenticated, &mut entry),
            Err((service, error)) => {
                entry.service = service.name().to_owned();
                entry.operation = operation_of(service, request).unwrap_or_default();
                record(&mut entry, &Err(error.clone()));
                (failure(service, &request_id, &error), false)
            }
        }
    };
    entry.status = rendered.status;
    let written = shared
        .log
        .append(entry)
        .and(shared.snapshots.persist(shared).await);
    if let Err(error) = written {
        // What cannot be remembered must not be reported as done.
        tracing::error!(%error, "writing the snapshot failed");
        return Outcome::Lost;
    }
    if lost {
        return Outcome::Lost;
    }
    Outcome::Answer {
        rendered,
        request_id,
    }
}

/// Derived from the request and the time: drawing it from the world's
/// generator would make every read a change of the world.
fn request_id(shared: &Shared, request: &Captured) -> String {
    let at = shared.world().clock.machine();
    let signature = request.header("authorization").unwrap_or_default();
    crate::rng::Rng::seeded_for(at.0.unsigned_abs(), signature).uuid()
}

pub(super) fn form(request: &Captured) -> Params {
    if request.body.is_empty() {
        Params::parse(request.query.as_bytes())
    } else {
        Params::parse(&request.body)
    }
}

fn operation_of(service: Service, request: &Captured) -> Result<String, AwsError> {
    match service.protocol() {
        Protocol::Query => form(request)
            .get("Action")
            .map(str::to_owned)
            .ok_or_else(|| {
                AwsError::bad("MissingAction", "Could not find an Action in the request")
            }),
        Protocol::Json10 => request
            .header("x-amz-target")
            .and_then(|target| target.strip_prefix("CloudApiService."))
            .map(str::to_owned)
            .ok_or_else(|| AwsError::bad("UnknownOperationException", "Unknown operation")),
        Protocol::RestJson => account::operation(&request.path)
            .map(str::to_owned)
            .ok_or_else(|| AwsError::new(404, "UnknownOperationException", "Unknown operation")),
    }
}

fn parse(
    request: &Captured,
    request_id: &str,
    authenticated: &Authenticated,
) -> Result<Call, AwsError> {
    let service = authenticated.service;
    let operation = operation_of(service, request)?;
    let input = match service.protocol() {
        Protocol::Query => Input::Query(form(request)),
        Protocol::Json10 | Protocol::RestJson => {
            let body: &[u8] = if request.body.is_empty() {
                b"{}"
            } else {
                &request.body
            };
            Input::Json(serde_json::from_slice(body).map_err(|_| {
                AwsError::bad("SerializationException", "The request body is not JSON.")
            })?)
        }
    };
    Ok(Call {
        service,
        operation,
        region: authenticated.region.clone(),
        input,
        request_id: request_id.to_owned(),
        client_now: authenticated.client_now,
    })
}

/// Lets the service act; also says whether the answer is to be lost.
fn act(
    shared: &Shared,
    request: &Captured,
    request_id: &str,
    authenticated: Authenticated,
    entry: &mut Entry,
) -> (Rendered, bool) {
    let caller = &authenticated.caller;
    entry.service = authenticated.service.name().to_owned();
    entry.region.clone_from(&authenticated.region);
    entry.account = Some(caller.account_id.clone());
    entry.principal = Some(caller.principal_arn().to_owned());
    entry.session_name = caller.session_name().map(str::to_owned);
    let call = match parse(request, request_id, &authenticated) {
        Ok(call) => call,
        Err(error) => {
            record(entry, &Err(error.clone()));
            return (failure(authenticated.service, request_id, &error), false);
        }
    };
    entry.operation.clone_from(&call.operation);
    entry.subject = subject(&call);
    perform(shared, &caller.account_id, &call, entry, || {
        handle(shared, caller, &call)
    })
}

/// Does the work of a call in an account, unless a fault comes before it.
pub(super) fn perform(
    shared: &Shared,
    account: &str,
    call: &Call,
    entry: &mut Entry,
    work: impl FnOnce() -> Result<Reply, AwsError>,
) -> (Rendered, bool) {
    let before = fault(shared, account, call, &entry.subject, |kind| {
        matches!(kind, FaultKind::Http500 | FaultKind::Throttle)
    });
    let luck = match before {
        Some(FaultKind::Throttle) => Luck::Throttled,
        Some(_) => Luck::ServerError,
        None => shared.luck(),
    };
    let outcome = match luck {
        Luck::Good => work(),
        Luck::Throttled => Err(throttled(call.service)),
        Luck::ServerError => Err(server_error(call.service)),
    };
    if luck != Luck::Good {
        entry.fault = Some(
            if luck == Luck::Throttled {
                "throttle"
            } else {
                "http_500"
            }
            .to_owned(),
        );
    }
    if let Ok(Reply::Json(answer)) = &outcome {
        learn(&mut entry.subject, answer);
    }
    let lost = outcome.is_ok()
        && fault(shared, account, call, &entry.subject, |kind| {
            *kind == FaultKind::LostAnswer
        })
        .is_some();
    if lost {
        entry.fault = Some("lost_answer".to_owned());
    }
    record(entry, &outcome);
    (render(call, &outcome), lost)
}

fn handle(shared: &Shared, caller: &Caller, call: &Call) -> Result<Reply, AwsError> {
    match call.service {
        Service::Sts => sts::handle(shared, caller, call),
        Service::Iam => iam::handle(shared, caller, call),
        Service::Account => account::handle(shared, caller, call),
        Service::CloudFormation => cloudformation::handle(shared, caller, call),
        Service::CloudControl => cloudcontrol::handle(shared, caller, call),
    }
}

fn fault(
    shared: &Shared,
    account: &str,
    call: &Call,
    subject: &Subject,
    wanted: impl Fn(&FaultKind) -> bool,
) -> Option<FaultKind> {
    let mut world = shared.world();
    if world.faults.is_empty() {
        return None;
    }
    let probe = Probe {
        account,
        region: &call.region,
        service: call.service.name(),
        operation: &call.operation,
        type_name: subject.type_name.as_deref(),
        identifier: subject.identifier.as_deref(),
    };
    world.faults.take(&probe, wanted)
}

fn throttled(service: Service) -> AwsError {
    match service {
        Service::Sts | Service::Iam | Service::CloudFormation => {
            AwsError::bad("Throttling", "Rate exceeded")
        }
        Service::CloudControl => AwsError::bad("ThrottlingException", "Rate exceeded"),
        Service::Account => AwsError::new(429, "TooManyRequestsException", "Too Many Requests"),
    }
}

fn server_error(service: Service) -> AwsError {
    let code = match service {
        Service::Sts | Service::CloudFormation | Service::CloudControl => "InternalFailure",
        Service::Iam => "ServiceFailure",
        Service::Account => "InternalServerException",
    };
    AwsError::new(
        500,
        code,
        "The request processing has failed because of an unknown error, exception or failure.",
    )
}

fn record(entry: &mut Entry, outcome: &Result<Reply, AwsError>) {
    if let Err(error) = outcome {
        entry.error = Some(error.code.to_string());
    }
}

/// What the input says of the call's subject.
pub(super) fn subject(call: &Call) -> Subject {
    match &call.input {
        Input::Json(input) => {
            let field = |name: &str| input.get(name).and_then(Value::as_str).map(str::to_owned);
            Subject {
                type_name: field("TypeName"),
                identifier: field("Identifier"),
                client_token: field("ClientToken"),
                request_token: field("RequestToken"),
                target: field("RegionName"),
                handler_error: None,
            }
        }
        Input::Query(params) => Subject {
            client_token: params.get("ClientRequestToken").map(str::to_owned),
            target: [
                "RoleArn",
                "RoleName",
                "PolicyArn",
                "PolicyName",
                "PolicySourceArn",
                "StackName",
            ]
            .iter()
            .find_map(|name| params.get(name))
            .map(str::to_owned),
            ..Subject::default()
        },
    }
}

/// What an answer adds: the identifier and token of an accepted operation.
fn learn(subject: &mut Subject, answer: &Value) {
    let event = &answer["ProgressEvent"];
    let field = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
    subject.type_name = subject.type_name.take().or_else(|| field("TypeName"));
    subject.identifier = subject.identifier.take().or_else(|| field("Identifier"));
    subject.request_token = subject
        .request_token
        .take()
        .or_else(|| field("RequestToken"));
    subject.handler_error = field("ErrorCode");
}
