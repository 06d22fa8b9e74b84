//! AWS: connecting by `assume-role`, verifying what was granted, and the Cloud
//! Control driver.
//!
//! Nothing here knows what is behind an endpoint. AWS, a private endpoint and a
//! test target differ in [`AwsConfig`] only.

mod client;
mod config;
mod connect;
mod driver;
mod error;
mod session;

pub use config::{AwsConfig, ConfigError, Identity, TemplateBucket};
pub use connect::AssumeRoleConnector;
pub use driver::CloudControlDriver;
