//! Cloud Control: every resource type through one asynchronous protocol.

mod admin;
mod api;
mod course;
mod env;
mod failure;
mod iam_backed;
mod inventory;
mod make;
mod operate;
mod patch;
mod permissions;
mod read;
mod requests;
mod rules;
mod settle;
mod state;
mod targets;

pub(crate) use admin::router as admin_router;
pub(crate) use api::{as_role, handle};
pub(crate) use env::{Env, Place, strings, text};
pub(crate) use failure::{Failure, HandlerErrorCode};
pub(crate) use inventory::inventory;
pub(crate) use make::without_secrets;
pub(crate) use operate::{Request, create, delete, update};
pub(crate) use read::view;
pub(crate) use requests::{Progress, progress};
pub(crate) use rules::{
    LISTENER, LISTENER_RULE, LOAD_BALANCER, SERVICE, cluster_name, task_definition,
};
pub(crate) use settle::{settle, settle_until};
pub use state::Region;
pub(crate) use state::Resource;
