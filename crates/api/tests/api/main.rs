//! The API over the real store, called without a network.

#[path = "../../../app/tests/common/mod.rs"]
mod common;

mod client;

mod authorization;
mod idempotency;
mod issuer;
mod limits;
mod openapi;
mod problems;
mod scenario;
mod secrets;
mod streams;
