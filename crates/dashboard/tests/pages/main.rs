//! The pages over the real store, called without a network.

#[path = "../../../app/tests/common/mod.rs"]
#[allow(unused_imports, reason = "each test binary uses a part of it")]
mod common;

mod client;

mod connections;
mod limits;
mod live;
mod plans;
mod rollouts;
