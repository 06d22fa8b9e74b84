//! What the operator configures: `[clouds.azure]`.

use landfall_model::{
    connection::Guid,
    secret::{InvalidClientSecret, check_client_secret},
};
use serde::Deserialize;
use std::{io::Read as _, path::PathBuf};
use url::Url;
use zeroize::Zeroizing;

/// A client secret has forty characters.
const SECRET_FILE_LIMIT: u64 = 4096;

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
    /// The operator's own multi-tenant application, which customers approve:
    /// without it, `admin-consent` cannot be offered.
    pub application: Option<Application>,
}

/// `[clouds.azure.application]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    pub client_id: Guid,
    /// As Entra shows it: people who assign it a role find it only by typing
    /// this.
    #[serde(default = "default_name")]
    pub name: String,
    /// A file readable by its owner alone that holds a client secret. Without
    /// it, the application trusts assertions of this server's issuer with the
    /// subject [`APPLICATION_SUBJECT`](crate::APPLICATION_SUBJECT).
    pub client_secret_file: Option<PathBuf>,
}

fn default_name() -> String {
    "Landfall".to_owned()
}

/// Why the operator's client secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretFileError {
    #[error("{} cannot be read", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} can be read by others: chmod 600 it", path.display())]
    Open { path: PathBuf },
    #[error("{} does not hold a client secret", path.display())]
    Form {
        path: PathBuf,
        source: InvalidClientSecret,
    },
}

impl SecretFileError {
    /// In one line, for the operator.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Read { source, .. } => format!("{self}: {source}"),
            Self::Open { .. } => self.to_string(),
            Self::Form { source, .. } => format!("{self}: {source}"),
        }
    }
}

impl Application {
    /// `None` when the application has none. Read anew each time: a renewed
    /// secret needs no restart.
    pub(crate) fn client_secret(&self) -> Result<Option<Zeroizing<String>>, SecretFileError> {
        let Some(path) = &self.client_secret_file else {
            return Ok(None);
        };
        let unreadable = |source| SecretFileError::Read {
            path: path.clone(),
            source,
        };
        let mut file = std::fs::File::open(path).map_err(unreadable)?;
        #[cfg(unix)]
        {
            let metadata = file.metadata().map_err(unreadable)?;
            let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
            if mode & 0o077 != 0 {
                return Err(SecretFileError::Open { path: path.clone() });
            }
        }
        let mut text = Zeroizing::new(String::new());
        file.by_ref()
            .take(SECRET_FILE_LIMIT)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        let secret = Zeroizing::new(text.trim().to_owned());
        check_client_secret(&secret).map_err(|source| SecretFileError::Form {
            path: path.clone(),
            source,
        })?;
        Ok(Some(secret))
    }
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
            application: None,
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

    #[cfg(unix)]
    #[test]
    fn the_operators_secret_is_read_from_a_file_that_nobody_else_reads() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let application = Application {
            client_id: "72f988bf-86f1-41af-91ab-2d7cd011db47".parse().unwrap(),
            name: default_name(),
            client_secret_file: Some(path.clone()),
        };
        let says = |error: SecretFileError| error.in_words();
        assert!(says(application.client_secret().unwrap_err()).contains("cannot be read"));
        let secret = "abc8Q~0123456789012345678901234567890._-";
        std::fs::write(&path, format!("{secret}\n")).unwrap();
        let chmod = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode));
        chmod(0o640).unwrap();
        assert!(says(application.client_secret().unwrap_err()).contains("chmod 600"));
        chmod(0o600).unwrap();
        assert_eq!(*application.client_secret().unwrap().unwrap(), secret);
        std::fs::write(&path, "72f988bf-86f1-41af-91ab-2d7cd011db47").unwrap();
        let said = says(application.client_secret().unwrap_err());
        assert!(
            said.contains("does not hold") && !said.contains("72f988bf"),
            "{said}"
        );
        let none = Application {
            client_secret_file: None,
            ..application
        };
        assert!(none.client_secret().unwrap().is_none());
    }

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
