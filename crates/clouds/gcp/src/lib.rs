//! Google Cloud: connecting by each of its methods, and verifying what was
//! granted.
//!
//! Nothing here knows what is behind an endpoint. Google Cloud, a private
//! endpoint and a test target differ in [`GcpConfig`] only.

mod config;
mod connect;
mod door;
mod error;
mod http;

pub use config::{ConfigError, GcpConfig, IssuerKeys, OperatorConfig};
pub use connect::{GcpConnector, key_setup};
