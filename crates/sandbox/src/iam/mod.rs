//! Identity and access management: principals, policies and their evaluation.

mod api;
mod authorize;
mod caller;
mod context;
mod managed;
pub mod policy;
mod state;

pub(crate) use api::handle;
pub use authorize::{AccessDenied, Parsed, authorize};
pub(crate) use authorize::{complete, exists, layers, managed_document, of_role};
pub(crate) use caller::ADMINISTRATOR;
pub use caller::{Caller, CallerKind, Session};
pub use context::Context;
pub(crate) use state::host_and_path;
pub use state::{
    ManagedPolicy, Moment, NewOidcProvider, NewPolicy, NewRole, OidcProvider, Role, State,
    Versioned,
};
