//! IAM's own API.

use super::Caller;
use crate::shared::Shared;
use crate::wire::{AwsError, Call, Reply};

pub(crate) fn handle(_shared: &Shared, _caller: &Caller, call: &Call) -> Result<Reply, AwsError> {
    Err(AwsError::bad(
        "InvalidAction",
        format!(
            "Could not find operation {} for version 2010-05-08",
            call.operation
        ),
    ))
}
