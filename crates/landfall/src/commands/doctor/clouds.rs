//! What the operator owns in each cloud, for the methods that need it.

use super::{Finding, Outcome, finding};
use crate::{clock::SystemClock, config::Config};
use landfall_aws::AwsConnector;
use landfall_azure::AzureConnector;
use landfall_gcp::GcpConnector;
use landfall_model::{
    connector::{Availability, Connector},
    entropy::SystemEntropy,
};
use std::sync::Arc;

pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = aws(config).await;
    findings.push(gcp(config).await);
    findings.push(azure(config));
    findings
}

async fn aws(config: &Config) -> Vec<Finding> {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let made = AwsConnector::assume_role(config.clouds.aws.clone(), clock, entropy).await;
    let connector = match made {
        Ok(connector) => connector,
        Err(error) => {
            return vec![finding(
                "aws.identity",
                Outcome::Fail,
                error.to_string(),
                "correct [clouds.aws]",
            )];
        }
    };
    let identity = match connector.availability().await {
        Availability::Available => {
            let found = connector.principal().await.map_or_else(
                |failure| failure.to_string(),
                |principal| format!("customers' roles will trust {}", principal.as_str()),
            );
            finding("aws.identity", Outcome::Ok, found, "")
        }
        Availability::Unavailable { reason, next_step } => {
            finding("aws.identity", Outcome::Missing, reason, next_step)
        }
    };
    let bucket = match &config.clouds.aws.template_bucket {
        Some(bucket) => finding(
            "aws.template-bucket",
            Outcome::Ok,
            bucket.url.to_string(),
            "",
        ),
        None => finding(
            "aws.template-bucket",
            Outcome::Missing,
            "customers get no one-click link, only commands and console steps",
            "set clouds.aws.template_bucket to a bucket that this server can write and customers \
             can read",
        ),
    };
    vec![identity, bucket]
}

/// For `impersonation`; the other methods need nothing of the operator's there.
async fn gcp(config: &Config) -> Finding {
    let id = "gcp.operator";
    let gcp = &config.clouds.gcp;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    match GcpConnector::impersonation(gcp.clone(), clock, entropy) {
        Ok(connector) => {
            let configured = gcp.operator.as_ref().map(|operator| {
                let project = &operator.project_id;
                format!("makes a service account per connection in the project {project}")
            });
            let availability = connector.availability().await;
            offered(id, availability, configured, "gcp/impersonation")
        }
        Err(error) => finding(id, Outcome::Fail, said(&error), "correct [clouds.gcp]"),
    }
}

/// For `admin-consent`; the other methods need nothing of the operator's there.
fn azure(config: &Config) -> Finding {
    let id = "azure.application";
    let azure = &config.clouds.azure;
    let has_issuer = matches!(config.issuer_url(), Ok(Some(_)));
    match AzureConnector::consent_availability(azure, has_issuer) {
        Ok(availability) => {
            let application = azure.application.as_ref();
            let configured = application
                .map(|own| format!("customers approve the application {}", own.client_id));
            offered(id, availability, configured, "azure/admin-consent")
        }
        Err(error) => finding(id, Outcome::Fail, said(&error), "correct [clouds.azure]"),
    }
}

/// What is configured and does not work is worth a warning; what is not
/// configured is only missing.
fn offered(
    id: &'static str,
    availability: Availability,
    configured: Option<String>,
    method: &str,
) -> Finding {
    match (availability, configured) {
        (Availability::Available, configured) => {
            finding(id, Outcome::Ok, configured.unwrap_or_default(), "")
        }
        (Availability::Unavailable { reason, next_step }, configured) => {
            let outcome = match configured {
                Some(_) => Outcome::Warn,
                None => Outcome::Missing,
            };
            let found = format!("leaves out {method}: {reason}");
            finding(id, outcome, found, next_step)
        }
    }
}

fn said(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
