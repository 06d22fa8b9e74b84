//! AWS: connecting by `oidc` and `assume-role`, verifying what was granted, and the Cloud
//! Control driver.
//!
//! Nothing here knows what is behind an endpoint. AWS, a private endpoint and a
//! test target differ in [`AwsConfig`] only.

mod client;
mod config;
mod connect;
mod door;
mod driver;
mod error;
mod session;

pub use config::{AwsConfig, ConfigError, Identity, TemplateBucket};
pub use connect::AwsConnector;
pub use driver::CloudControlDriver;
