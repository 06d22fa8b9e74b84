//! Cloud Control: every resource type through one asynchronous protocol.
//!
//! What is simulated is our reading of AWS's documentation. Where it is known
//! to be coarser than AWS:
//! - An operation takes effect when it is accepted; only its end takes time.
//! - A list returns identifiers only; AWS returns more for some types.
//! - A network's default security group, main route table and default network
//!   ACL have ids but are no resources of their own. Neither is the secret of a
//!   managed master password. A deleted database leaves no final snapshot.
//! - A security group shows its inline rules only, not those that other
//!   resources added.
//! - Deleted secrets and keys are gone from every answer, although AWS still
//!   describes them until their window ends; a secret's name stays taken.
//! - Bucket, key and queue policies are stored, not evaluated.
//! - Quotas are not counted, except those of IAM.
//! - Durations of updates and deletions are estimates: half of a creation's.

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
    LISTENER, LISTENER_RULE, LOAD_BALANCER, SERVICE, bucket_owner, cluster_name, task_definition,
};
pub(crate) use settle::{settle, settle_until};
pub use state::Region;
pub(crate) use state::Resource;
