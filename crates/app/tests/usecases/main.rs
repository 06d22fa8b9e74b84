//! The use cases against the real store and a cloud that does as it is told.

#[path = "../common/mod.rs"]
mod common;

mod access;
mod applications;
mod audited;
mod connections;
mod consent;
mod detection;
mod entered;
mod environments;
mod organizations;
mod plans;
mod runs;
mod secrets;
mod silence;
