//! What the operator configures: `[clouds.gcp]`.

use serde::Deserialize;
use url::Url;

/// Where Google's services are, `{service}` being `iam` and the like.
const GOOGLE: &str = "https://{service}.googleapis.com";

/// Everything has a default: with none of it set, Google's own endpoints are
/// used.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GcpConfig {
    /// A URL with `{service}` in it, for private endpoints.
    pub endpoint_template: String,
    /// The console that the guide's steps begin at.
    pub console_url: String,
    /// How Google learns the keys that sign our assertions.
    pub issuer_keys: IssuerKeys,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerKeys {
    /// Google reads them from the issuer's public address.
    #[default]
    Fetched,
    /// The setup uploads them: the issuer's address need not be reachable. They
    /// must be uploaded again before a rotation completes.
    Uploaded,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("clouds.gcp.{field} is not usable: {reason}")]
    Setting { field: &'static str, reason: String },
    #[error("the HTTP client for Google Cloud could not be made")]
    HttpClient(#[source] reqwest::Error),
}

impl Default for GcpConfig {
    fn default() -> Self {
        Self {
            endpoint_template: GOOGLE.to_owned(),
            console_url: "https://console.cloud.google.com".to_owned(),
            issuer_keys: IssuerKeys::default(),
        }
    }
}

impl GcpConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |field, reason: &str| {
            Err(ConfigError::Setting {
                field,
                reason: reason.to_owned(),
            })
        };
        if !self.endpoint_template.contains("{service}") {
            return refuse("endpoint_template", "it must contain {service}");
        }
        match Url::parse(&self.endpoint_template.replace("{service}", "iam")) {
            // Tokens travel in these requests.
            Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && loopback(&url)) => {}
            _ => {
                return refuse(
                    "endpoint_template",
                    "it must be an https URL (http on loopback)",
                );
            }
        }
        if Url::parse(&self.console_url).is_err() {
            return refuse("console_url", "it must be a URL");
        }
        Ok(())
    }

    /// Whether the services are on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        Url::parse(&self.endpoint_template.replace("{service}", "iam"))
            .is_ok_and(|url| loopback(&url))
    }
}

fn loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(template: &str) -> GcpConfig {
        GcpConfig {
            endpoint_template: template.to_owned(),
            ..GcpConfig::default()
        }
    }

    #[test]
    fn tokens_are_sent_over_https_or_to_this_machine_only() {
        assert!(GcpConfig::default().validate().is_ok());
        for good in [
            "https://{service}-psc.p.googleapis.com",
            "http://127.0.0.1:4000/gcp/{service}",
            "http://localhost:4000/{service}",
        ] {
            assert!(with(good).validate().is_ok(), "{good}");
        }
        for wrong in [
            "https://googleapis.com",
            "http://{service}.googleapis.com",
            "{service}",
            "ftp://{service}.googleapis.com",
        ] {
            assert!(with(wrong).validate().is_err(), "{wrong}");
        }
    }
}
