//! From a request under `/gcp` to its answer: authenticate, find the method,
//! see whether its API is on, act, remember.

use super::access::{self, Caller};
use super::call::{Answer, Call};
use super::error::Refusal;
use super::route::{self, Route, Who};
use super::state::State;
use super::{resources, tokens};
use crate::faults::{FaultKind, Probe};
use crate::http::Captured;
use crate::iam::Moment;
use crate::issuers;
use crate::jwt::KeySet;
use crate::log::{Entry, Subject};
use crate::shared::{Luck, Shared};
use axum::body::Body;
use axum::http::{Response, header};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Answers one call; nothing when the answer is to be lost.
pub(crate) async fn answer(shared: &Arc<Shared>, request: Captured) -> Option<Response<Body>> {
    let mut entry = Entry {
        region: "global".to_owned(),
        ..Entry::default()
    };
    {
        let world = shared.world();
        entry.time = world.clock.machine().iso8601_millis();
        entry.simulated_time = world.now().iso8601_millis();
    }
    let (outcome, lost) = act(shared, &request, &mut entry).await;
    let (status, body) = match &outcome {
        Ok(body) => (200, body.clone()),
        Err(refusal) => {
            entry.error = Some(refusal.status.to_string());
            (refusal.http, refusal.body())
        }
    };
    entry.status = status;
    let written = shared
        .log
        .append(entry)
        .and(shared.snapshots.persist(shared).await);
    if let Err(error) = written {
        // What cannot be remembered must not be reported as done.
        tracing::error!(%error, "writing the snapshot failed");
        return None;
    }
    if lost {
        return None;
    }
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json; charset=UTF-8")
        .body(Body::from(body.to_string()))
        .ok()
}

async fn act(shared: &Arc<Shared>, request: &Captured, entry: &mut Entry) -> (Answer, bool) {
    let path = request.path.strip_prefix("/gcp/").unwrap_or_default();
    let (service, path) = path.split_once('/').unwrap_or((path, ""));
    entry.service = format!("{service}.googleapis.com");
    let Some((route, params)) = route::find(service, request.method.as_str(), path) else {
        let refusal = Refusal::no_such_method(request.method.as_str(), path);
        return (Err(refusal), false);
    };
    entry.operation = route.id.to_owned();
    let body = match body(request) {
        Ok(body) => body,
        Err(refusal) => return (Err(refusal), false),
    };
    let fetched = keys(shared, route, &body).await;
    let mut world = shared.world();
    let at = moment(&world);
    let mut call = Call {
        at,
        service: route.service,
        caller: Caller::default(),
        params,
        query: pairs(request.query.as_bytes()),
        body,
        fetched,
        world: &mut world,
    };
    entry.account = concerned(&call);
    entry.subject = Subject {
        target: call.params.values().next_back().cloned(),
        ..Subject::default()
    };
    if route.who == Who::Authenticated {
        match authenticate(&call, request) {
            Ok(caller) => call.caller = caller,
            Err(refusal) => return (Err(refusal), false),
        }
        entry.principal = Some(call.caller.member.clone());
    }
    let probe = |call: &mut Call<'_, '_>, wanted: &dyn Fn(&FaultKind) -> bool| {
        if call.world.faults.is_empty() {
            return None;
        }
        let service = format!("{service}.googleapis.com");
        let account = concerned(call).unwrap_or_default();
        let probe = Probe {
            account: &account,
            region: "global",
            service: &service,
            operation: route.id,
            type_name: None,
            identifier: None,
        };
        call.world.faults.take(&probe, wanted)
    };
    let before = probe(&mut call, &|kind| {
        matches!(
            kind,
            FaultKind::Http500 | FaultKind::Throttle | FaultKind::Fail { .. }
        )
    });
    let luck = match before {
        Some(FaultKind::Fail { code, message }) => {
            entry.fault = Some("fail".to_owned());
            return (Err(asked_for(route, code, message)), false);
        }
        Some(FaultKind::Throttle) => Luck::Throttled,
        Some(_) => Luck::ServerError,
        None => shared.luck(),
    };
    let (outcome, fault) = match luck {
        Luck::Good => {
            let outcome = on(&call, route, request).and_then(|()| (route.handle)(&mut call));
            (outcome, None)
        }
        Luck::Throttled => (Err(Refusal::throttled(service)), Some("throttle")),
        Luck::ServerError => (Err(Refusal::internal()), Some("http_500")),
    };
    entry.fault = fault.map(str::to_owned);
    let lost =
        outcome.is_ok() && probe(&mut call, &|kind| *kind == FaultKind::LostAnswer).is_some();
    if lost {
        entry.fault = Some("lost_answer".to_owned());
    }
    (outcome, lost)
}

/// A token endpoint has its own form of refusal.
fn asked_for(route: &Route, code: String, message: Option<String>) -> Refusal {
    let message = message.unwrap_or_else(|| "A fault that was asked for.".to_owned());
    match route.who {
        Who::Anyone => Refusal::oauth(400, code, message),
        Who::Authenticated => Refusal::asked_for(code, message),
    }
}

/// What a change needs to know about when it happens.
pub(super) fn moment(world: &crate::world::World) -> Moment {
    let now = world.clock.now();
    Moment {
        wall: world.clock.wall(),
        now,
        effective_at: now.plus(world.iam_lag),
        nonce: 0,
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// The body as JSON, from a form where one was sent.
fn body(request: &Captured) -> Result<Value, Refusal> {
    if request.body.is_empty() {
        return Ok(json!({}));
    }
    let form = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if form {
        let fields: BTreeMap<String, String> = pairs(&request.body).into_iter().collect();
        return Ok(json!(fields));
    }
    match serde_json::from_slice(&request.body) {
        Ok(body @ Value::Object(_)) => Ok(body),
        _ => Err(Refusal::invalid("Invalid JSON payload received.")),
    }
}

/// The project that a call concerns, by id, as far as its path says.
fn concerned(call: &Call<'_, '_>) -> Option<String> {
    let named = call.params.get("project")?;
    let found = match call.state().find_project(named) {
        Some((_, project)) => Some(project),
        None => call
            .params
            .get("account")
            .and_then(|account| call.state().account(account))
            .map(|(project, _)| project),
    };
    found.map(|project| project.id.clone())
}

/// The issuer's keys, where a token exchange needs them: asked before the
/// world is taken, since nothing may be awaited while it is held.
async fn keys(shared: &Shared, route: &Route, body: &Value) -> Option<Result<KeySet, String>> {
    if route.id != "sts.token" {
        return None;
    }
    let issuer = {
        let world = shared.world();
        tokens::issuer_to_ask(&world.gcp, body)?
    };
    let keys = issuers::key_set(shared, &issuer).await;
    Some(keys.map_err(|error| error.to_string()))
}

fn authenticate(call: &Call<'_, '_>, request: &Captured) -> Result<Caller, Refusal> {
    let refused = |reason| Refusal::unauthenticated(reason, call.service);
    let header = request
        .header("authorization")
        .ok_or_else(|| refused("CREDENTIALS_MISSING"))?;
    let token = header
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| refused("CREDENTIALS_MISSING"))?;
    let found = if token.starts_with("eyJ") {
        tokens::self_signed(call, token)
    } else {
        access::of_token(call.state(), token, call.at.wall)
    };
    found.ok_or_else(|| refused("ACCESS_TOKEN_EXPIRED"))
}

/// Whether the API is on in the project that the call is counted for: the one
/// that the caller names, or the one that its identity lives in. A person's
/// calls are counted for the tool that makes them, as with gcloud.
fn on(call: &Call<'_, '_>, route: &Route, request: &Captured) -> Result<(), Refusal> {
    let state = call.state();
    let named = request
        .header("x-goog-user-project")
        .filter(|_| route.who == Who::Authenticated);
    let consumer = if let Some(named) = named {
        let permission = "serviceusage.services.use";
        let project = call.project(named, permission).map_err(|_| {
            Refusal::forbidden(format!(
                "Caller does not have required permission to use project {named}. Grant the \
                 caller the roles/serviceusage.serviceUsageConsumer role, or a custom role with \
                 the serviceusage.services.use permission."
            ))
            .info(
                "USER_PROJECT_DENIED",
                "googleapis.com",
                json!({
                    "consumer": format!("projects/{named}"),
                    "service": format!("{}.googleapis.com", route.service),
                }),
            )
        })?;
        Some(project.number.clone())
    } else {
        home(state, &call.caller)
    };
    let consumer = match route.who {
        Who::Authenticated => consumer,
        Who::Anyone => tokens::pool_project(state, &call.body),
    };
    let Some(number) = consumer else {
        return Ok(());
    };
    let api = format!("{}.googleapis.com", route.service);
    let home = state.find_project(&number);
    if home.is_some_and(|(_, project)| project.deleted) {
        return Err(
            Refusal::forbidden(format!("Project '{number}' has been deleted.")).info(
                "CONSUMER_INVALID",
                "googleapis.com",
                json!({ "consumer": format!("projects/{number}"), "service": api }),
            ),
        );
    }
    let on = home
        .and_then(|(_, project)| project.services.get(&api))
        .is_some_and(|from| *from <= call.at.now);
    if on {
        Ok(())
    } else {
        Err(Refusal::disabled(
            route.service,
            &resources::service_title(route.service),
            &number,
        ))
    }
}

/// The number of the project that an identity lives in.
fn home(state: &State, caller: &Caller) -> Option<String> {
    if let Some(email) = caller.account_email() {
        return state
            .account(email)
            .map(|(project, _)| project.number.clone());
    }
    let pool = access::pool_of(&caller.member)?;
    let rest = pool.strip_prefix("//iam.googleapis.com/projects/")?;
    Some(rest.split('/').next()?.to_owned())
}
