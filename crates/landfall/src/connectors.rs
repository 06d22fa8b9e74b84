//! One connector per method, as this installation is configured.

use crate::{clock::SystemClock, config::Config};
use anyhow::Context as _;
use landfall_aws::AwsConnector;
use landfall_azure::AzureConnector;
use landfall_gcp::GcpConnector;
use landfall_model::{
    connection::Method, connector::Connector, entropy::SystemEntropy, issuer::Issuer,
    secret::Secrets,
};
use std::sync::Arc;

/// All that can be constructed. Whether one can be offered it says itself
/// ([`Connector::availability`]): what an operator has not set up is shown with
/// the reason, not hidden.
pub async fn all(
    config: &Config,
    issuer: Arc<dyn Issuer>,
    secrets: Arc<dyn Secrets>,
) -> anyhow::Result<Vec<Arc<dyn Connector>>> {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let aws = &config.clouds.aws;
    let by_principal = AwsConnector::assume_role(aws.clone(), clock.clone(), entropy.clone())
        .await
        .context("cannot use [clouds.aws]")?;
    let keyless = AwsConnector::oidc(aws.clone(), issuer.clone(), clock.clone(), entropy.clone())
        .await
        .context("cannot use [clouds.aws]")?;
    let gcp = &config.clouds.gcp;
    let pooled = GcpConnector::workload_identity(
        gcp.clone(),
        issuer.clone(),
        clock.clone(),
        entropy.clone(),
    )
    .context("cannot use [clouds.gcp]")?;
    let impersonated = GcpConnector::impersonation(gcp.clone(), clock.clone(), entropy.clone())
        .context("cannot use [clouds.gcp]")?;
    let by_key = GcpConnector::service_account_key(
        gcp.clone(),
        secrets.clone(),
        clock.clone(),
        entropy.clone(),
    )
    .context("cannot use [clouds.gcp]")?;
    let azure = &config.clouds.azure;
    let federated = AzureConnector::workload_identity(
        azure.clone(),
        issuer.clone(),
        clock.clone(),
        entropy.clone(),
    )
    .context("cannot use [clouds.azure]")?;
    let by_secret = AzureConnector::client_secret(
        azure.clone(),
        secrets,
        Some(issuer.clone()),
        clock.clone(),
        entropy.clone(),
    )
    .context("cannot use [clouds.azure]")?;
    let by_consent = AzureConnector::admin_consent(azure.clone(), issuer, clock, entropy)
        .context("cannot use [clouds.azure]")?;
    Ok(vec![
        Arc::new(by_principal),
        Arc::new(keyless),
        Arc::new(pooled),
        Arc::new(impersonated),
        Arc::new(by_key),
        Arc::new(federated),
        Arc::new(by_secret),
        Arc::new(by_consent),
    ])
}

/// The one for `method`.
pub fn of(connectors: &[Arc<dyn Connector>], method: Method) -> Option<&Arc<dyn Connector>> {
    connectors.iter().find(|one| one.method() == method)
}
