//! Google Cloud: connecting by `workload-identity`, and verifying what was
//! granted.
//!
//! Nothing here knows what is behind an endpoint. Google Cloud, a private
//! endpoint and a test target differ in [`GcpConfig`] only.

mod config;
mod connect;
mod door;
mod error;
mod http;

pub use config::{ConfigError, GcpConfig, IssuerKeys};
pub use connect::GcpConnector;
