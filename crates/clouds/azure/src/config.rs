//! What the operator configures: `[clouds.azure]`.

use serde::Deserialize;
use std::path::PathBuf;
use url::Url;

/// Everything has a default: with none of it set, the public cloud is used.
/// Sovereign clouds have other endpoints and another audience (Microsoft Learn:
/// "Azure Government developer guide", "National clouds").
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AzureConfig {
    /// Entra, without a tenant: `https://login.microsoftonline.us`.
    pub authority: Url,
    /// `https://management.usgovcloudapi.net`.
    pub resource_manager: Url,
    /// `https://graph.microsoft.us`.
    pub graph: Url,
    /// The audience of this server's assertions:
    /// `api://AzureADTokenExchangeUSGov`, `api://AzureADTokenExchangeChina`.
    pub token_exchange_audience: String,
    /// Where people do by hand what the guide says.
    pub portal_url: Url,
    /// A PEM file with authorities to trust besides the well-known ones, for
    /// endpoints with a certificate of the operator's own.
    pub ca_certificate: Option<PathBuf>,
}

impl Default for AzureConfig {
    fn default() -> Self {
        let url = |text: &str| Url::parse(text).expect("the public cloud's URLs are URLs");
        Self {
            authority: url("https://login.microsoftonline.com"),
            resource_manager: url("https://management.azure.com"),
            graph: url("https://graph.microsoft.com"),
            token_exchange_audience: "api://AzureADTokenExchange".to_owned(),
            portal_url: url("https://portal.azure.com"),
            ca_certificate: None,
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("clouds.azure.{field} is not usable: {reason}")]
    Setting { field: &'static str, reason: String },
    #[error("clouds.azure.ca_certificate cannot be read")]
    Certificate(#[source] std::io::Error),
    #[error("clouds.azure.ca_certificate holds no PEM certificates")]
    NoCertificate(#[source] Option<reqwest::Error>),
    #[error("the HTTP client for Azure could not be made")]
    HttpClient(#[source] reqwest::Error),
}

impl AzureConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        for (field, url) in [
            ("authority", &self.authority),
            ("resource_manager", &self.resource_manager),
            ("graph", &self.graph),
            ("portal_url", &self.portal_url),
        ] {
            // Tokens are sent there.
            if url.scheme() != "https"
                || url.query().is_some()
                || url.fragment().is_some()
                || !url.username().is_empty()
            {
                return Err(ConfigError::Setting {
                    field,
                    reason: "it must be an https URL without query, fragment and user".to_owned(),
                });
            }
        }
        if !self.token_exchange_audience.starts_with("api://") {
            return Err(ConfigError::Setting {
                field: "token_exchange_audience",
                reason: "it begins with api://".to_owned(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_usable_and_plain_http_is_not() {
        assert!(AzureConfig::default().validate().is_ok());
        for wrong in [
            "http://login.microsoftonline.com",
            "https://u@example.com",
            "https://example.com/?a=b",
        ] {
            let config = AzureConfig {
                authority: Url::parse(wrong).unwrap(),
                ..AzureConfig::default()
            };
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains("authority"), "{error}");
        }
    }
}
