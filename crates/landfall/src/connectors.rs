//! One connector per method, as this installation is configured.

use crate::{clock::SystemClock, config::Config};
use anyhow::Context as _;
use landfall_aws::AwsConnector;
use landfall_model::{
    connection::Method, connector::Connector, entropy::SystemEntropy, issuer::Issuer,
};
use std::sync::Arc;

/// All that can be constructed. Whether one can be offered it says itself
/// ([`Connector::availability`]): what an operator has not set up is shown with
/// the reason, not hidden.
pub async fn all(
    config: &Config,
    issuer: Arc<dyn Issuer>,
) -> anyhow::Result<Vec<Arc<dyn Connector>>> {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let aws = &config.clouds.aws;
    let by_principal = AwsConnector::assume_role(aws.clone(), clock.clone(), entropy.clone())
        .await
        .context("cannot use [clouds.aws]")?;
    let keyless = AwsConnector::oidc(aws.clone(), issuer, clock, entropy)
        .await
        .context("cannot use [clouds.aws]")?;
    Ok(vec![Arc::new(by_principal), Arc::new(keyless)])
}

/// The one for `method`.
pub fn of(connectors: &[Arc<dyn Connector>], method: Method) -> Option<&Arc<dyn Connector>> {
    connectors.iter().find(|one| one.method() == method)
}
