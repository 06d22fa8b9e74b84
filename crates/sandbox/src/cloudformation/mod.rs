//! CloudFormation: templates become stacks, with the caller's permissions and
//! over simulated time. Resources are made through Cloud Control's handlers.

mod api;
mod change_sets;
mod intrinsics;
mod operations;
mod render;
mod run;
mod stack;
mod template;
mod yaml;

pub(crate) use api::handle;
pub(crate) use operations::{
    Form, FormParameter, Source, Wanted, all, create, delete, describe_form, find,
};
pub(crate) use run::settle;
pub use stack::State;
pub(crate) use stack::{OnFailure, Stack, Status};
