//! Azure: connecting by `workload-identity`, `admin-consent` and `client-secret`,
//! and verifying what was granted.
//!
//! Nothing here knows what is behind an endpoint. The public cloud, a sovereign
//! one and a test target differ in [`AzureConfig`] only.

mod client;
mod config;
mod connect;
mod door;
mod error;

pub use config::{Application, AzureConfig, ConfigError};
pub use connect::AzureConnector;
pub use door::APPLICATION_SUBJECT;
