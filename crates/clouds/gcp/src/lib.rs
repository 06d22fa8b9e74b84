//! Google Cloud: connecting by `workload-identity`, verifying what was granted,
//! and reading the key files of service accounts.
//!
//! Nothing here knows what is behind an endpoint. Google Cloud, a private
//! endpoint and a test target differ in [`GcpConfig`] only.

mod config;
mod connect;
mod door;
mod error;
mod http;
mod key;

pub use config::{ConfigError, GcpConfig, IssuerKeys};
pub use connect::GcpConnector;
pub use key::{KEY_LIMIT, KeyError, ServiceAccountKey, parse_key};
