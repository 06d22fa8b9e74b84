//! Identity and access management: principals, policies and their evaluation.

mod authorize;
mod caller;
mod state;

pub use authorize::{AccessDenied, Context, authorize};
pub use caller::{Caller, CallerKind, Session};
pub use state::{ManagedPolicy, Moment, NewPolicy, NewRole, Role, State, Versioned};

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
