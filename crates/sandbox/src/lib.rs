//! Simulated clouds over HTTP: the real wire protocols, permissions enforced.
//!
//! This crate shares no types with the crates that talk to clouds: it is the
//! other side of the wire.

mod account;
mod admin;
mod azure;
mod clock;
mod cloudcontrol;
mod cloudformation;
mod config;
mod console;
mod faults;
mod gcp;
mod http;
mod iam;
mod issuers;
mod jwt;
mod log;
mod rng;
mod services;
mod shared;
mod snapshot;
mod start;
mod sts;
mod types;
mod wire;
mod world;

pub use config::Config;
pub use snapshot::SnapshotError;
pub use start::{Running, StartError, start};
