//! Faults, the clock, the knobs, the reset.

use super::AdminError;
use crate::faults::{FaultKind, Matcher};
use crate::shared::Shared;
use crate::world::World;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// `{"kind": "fail", "code": "NotStabilized", "match": {"type": "AWS::S3::Bucket"}, "times": 2}`
#[derive(Debug, Deserialize)]
pub(super) struct NewFault {
    #[serde(flatten)]
    fault: FaultKind,
    #[serde(default, rename = "match")]
    matcher: Matcher,
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

pub(super) async fn add(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<Json<Value>, AdminError> {
    let Json(body) = body?;
    // A misspelt field would make a fault that hits more than was meant, and
    // `flatten` cannot refuse it.
    const KNOWN: [&str; 5] = ["kind", "code", "message", "match", "times"];
    let mut keys = body
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys());
    if let Some(unknown) = keys.find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(AdminError::Request(format!("unknown field {unknown}")));
    }
    let new: NewFault =
        serde_json::from_value(body).map_err(|error| AdminError::Request(error.to_string()))?;
    if new.times == 0 {
        return Err(AdminError::Request("times must be at least 1".to_owned()));
    }
    let id = shared.world().faults.add(new.fault, new.matcher, new.times);
    Ok(Json(json!({ "id": id })))
}

pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let world = shared.world();
    Json(json!({ "faults": world.faults.pending() }))
}

pub(super) async fn clear(State(shared): State<Arc<Shared>>) -> Json<Value> {
    shared.world().faults.clear();
    Json(json!({ "faults": [] }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    advance_seconds: f64,
}

pub(super) async fn move_clock(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Advance>, JsonRejection>,
) -> Result<Json<Value>, AdminError> {
    let Json(Advance { advance_seconds }) = body?;
    // Ten years at once is a mistake, and keeps every later sum in range.
    if !(0.0..=3.2e8).contains(&advance_seconds) {
        return Err(AdminError::Request(
            "advance_seconds must be between 0 and 320000000: time does not run backwards"
                .to_owned(),
        ));
    }
    shared
        .world()
        .clock
        .advance(Duration::from_secs_f64(advance_seconds));
    crate::http::settle(&shared);
    Ok(super::views::clock(State(shared)).await)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    throttle: Option<f64>,
    error_rate: Option<f64>,
    /// Simulated seconds.
    iam_lag_seconds: Option<f64>,
}

pub(super) async fn settings(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Settings>, JsonRejection>,
) -> Result<Json<Value>, AdminError> {
    let Json(settings) = body?;
    for probability in [settings.throttle, settings.error_rate]
        .into_iter()
        .flatten()
    {
        if !(0.0..=1.0).contains(&probability) {
            return Err(AdminError::Request(
                "probabilities lie between 0 and 1".to_owned(),
            ));
        }
    }
    if let Some(seconds) = settings.iam_lag_seconds {
        let lag = Duration::try_from_secs_f64(seconds)
            .map_err(|error| AdminError::Request(format!("iam_lag_seconds: {error}")))?;
        shared.world().iam_lag = lag;
    }
    shared.set_chance(settings.throttle, settings.error_rate);
    Ok(Json(json!({})))
}

/// Starts over: the accounts and keys of the ready JSON, nothing in them.
pub(super) async fn reset(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, AdminError> {
    {
        let mut world = shared.world();
        let mut azure = std::mem::take(&mut world.azure);
        let mut fresh = World::create(&crate::Config {
            seed: world.seed,
            customers: world.accounts.len().saturating_sub(1),
            ..shared.config.clone()
        });
        azure.reset(fresh.seed, fresh.clock.wall());
        fresh.azure = azure;
        *world = fresh;
    }
    shared.log.clear()?;
    Ok(Json(json!({})))
}
