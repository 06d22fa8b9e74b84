//! What the operator configures: `[clouds.gcp]`.

use landfall_model::connection::ProjectId;
use serde::Deserialize;
use std::path::{Path, PathBuf};
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
    /// The operator's own identity, which `impersonation` needs.
    pub operator: Option<OperatorConfig>,
}

/// `[clouds.gcp.operator]`: a project of the operator's, in which this server
/// makes one service account per connection, and who it is there. It needs
/// Service Account Admin (`roles/iam.serviceAccountAdmin`) in that project.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorConfig {
    pub project_id: ProjectId,
    /// A key of a service account, with mode 0600.
    #[serde(default)]
    pub credentials_file: Option<PathBuf>,
    /// The service account of the machine, instead of a key.
    #[serde(default)]
    pub metadata: bool,
    /// Where the machine asks for it.
    #[serde(default = "metadata_url")]
    pub metadata_url: String,
}

fn metadata_url() -> String {
    "http://metadata.google.internal".to_owned()
}

/// Where the operator's identity comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    File(&'a Path),
    Metadata(&'a str),
}

impl OperatorConfig {
    /// By a key file.
    pub fn with_key(project_id: ProjectId, file: PathBuf) -> Self {
        Self {
            project_id,
            credentials_file: Some(file),
            metadata: false,
            metadata_url: metadata_url(),
        }
    }

    pub(crate) fn source(&self) -> Source<'_> {
        match &self.credentials_file {
            Some(path) => Source::File(path),
            None => Source::Metadata(self.metadata_url.trim_end_matches('/')),
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |field, reason: &str| {
            Err(ConfigError::Setting {
                field,
                reason: reason.to_owned(),
            })
        };
        if self.credentials_file.is_some() == self.metadata {
            return refuse(
                "operator",
                "it wants either a credentials_file or metadata = true",
            );
        }
        // The metadata server has no certificate, and is on the machine's own
        // link.
        let local = Url::parse(&self.metadata_url).is_ok_and(|url| {
            url.scheme() == "http"
                && (loopback(&url)
                    || matches!(
                        url.host_str(),
                        Some("metadata.google.internal" | "metadata" | "169.254.169.254")
                    ))
        });
        if !local {
            return refuse(
                "operator.metadata_url",
                "it must be http://metadata.google.internal, or on loopback",
            );
        }
        Ok(())
    }
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
            operator: None,
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
        self.operator
            .as_ref()
            .map_or(Ok(()), OperatorConfig::validate)
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

    #[test]
    fn the_operator_is_a_file_or_a_machine() {
        let operator = |file: Option<&str>, metadata, url: &str| {
            let operator = OperatorConfig {
                project_id: "operator-123".parse().unwrap(),
                credentials_file: file.map(PathBuf::from),
                metadata,
                metadata_url: url.to_owned(),
            };
            operator.validate().is_ok()
        };
        let google = metadata_url();
        assert!(operator(Some("key.json"), false, &google));
        assert!(operator(None, true, &google));
        assert!(operator(None, true, "http://127.0.0.1:9"));
        assert!(!operator(None, false, &google));
        assert!(!operator(Some("key.json"), true, &google));
        assert!(!operator(None, true, "http://example.com"));
        assert!(!operator(None, true, "https://metadata.google.internal"));
    }
}
