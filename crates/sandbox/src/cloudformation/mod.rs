//! CloudFormation: templates become stacks, with the caller's permissions and
//! over simulated time. Resources are made through Cloud Control's handlers.

mod api;
mod change_sets;
mod conclude;
mod delete;
mod form;
mod intrinsics;
mod moves;
mod operations;
mod parameters;
mod references;
mod render;
mod run;
mod stack;
mod steps;
mod template;
mod update;
mod yaml;

pub(crate) use api::handle;
pub(crate) use delete::delete;
pub(crate) use form::{Form, FormParameter, describe_form};
pub(crate) use operations::{Source, Wanted, all, create, find};
pub(crate) use run::settle;
pub use stack::State;
pub(crate) use stack::{OnFailure, Stack, Status};
