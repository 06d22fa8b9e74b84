use crate::iam::Caller;
use crate::shared::{Shared, WorldGuard};
use crate::wire::{AwsError, Call, Reply};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {}

pub(crate) fn handle(_shared: &Shared, _caller: &Caller, call: &Call) -> Result<Reply, AwsError> {
    Err(AwsError::bad("InvalidAction", call.operation.clone()))
}

/// Applies what simulated time has brought since. Called before every
/// request; must write through the guard only when something is due.
pub(crate) fn settle(_world: &mut WorldGuard<'_>) {}
