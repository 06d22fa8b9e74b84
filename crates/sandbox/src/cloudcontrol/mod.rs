use crate::iam::Caller;
use crate::shared::{Shared, WorldGuard};
use crate::wire::{AwsError, Call, Reply};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Region {}

pub(crate) fn handle(_shared: &Shared, _caller: &Caller, call: &Call) -> Result<Reply, AwsError> {
    Err(AwsError::bad("InvalidAction", call.operation.clone()))
}

/// Applies what simulated time has brought since. Called before every
/// request; must write through the guard only when something is due.
pub(crate) fn settle(_world: &mut WorldGuard<'_>) {}

/// Every resource of an account, for `GET /_sandbox/inventory`.
pub(crate) fn inventory(_world: &crate::world::World, _account: &str) -> Vec<serde_json::Value> {
    Vec::new()
}

/// Routes under `/_sandbox/resources`.
pub(crate) fn admin_router(_shared: std::sync::Arc<Shared>) -> axum::Router {
    axum::Router::new()
}
