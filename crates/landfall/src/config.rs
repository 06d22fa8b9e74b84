//! The server's configuration: a TOML file, overridden by the environment
//! (`LANDFALL__CLOUDS__AWS__REGION`).

use secrecy::SecretString;
use serde::Deserialize;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};
use url::Url;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the API and the pages are served.
    pub listen: SocketAddr,
    /// How people reach it; default `http://<listen>`.
    pub public_url: Option<Url>,
    /// `sqlite:<file>` or `postgres://…`; default: `landfall.db` in the data
    /// folder.
    pub database_url: Option<SecretString>,
    pub organization: String,
    pub clouds: Clouds,
    pub deployments: Deployments,
    pub engine: Engine,
    pub limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clouds {
    /// What the operator must own before real AWS works, and where AWS is.
    pub aws: landfall_aws::AwsConfig,
}

/// How people reach what was deployed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deployments {
    /// From a load balancer's DNS name, `{host}`, to an address; default: the
    /// name itself.
    pub url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// Multiplies every waiting time between polls and retries. 1 suits real
    /// clouds; less suits emulators that are faster.
    pub wait_scale: f64,
    /// How many jobs this replica does at once.
    pub workers: usize,
    /// How long after a replica died another one (or its successor) takes over
    /// what it was doing. Short ones suit a quiet database.
    pub lease_seconds: f64,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            wait_scale: 1.0,
            workers: 16,
            lease_seconds: 60.0,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub connections_per_organization: usize,
    pub applications_per_organization: usize,
    pub environments_per_organization: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let quotas = landfall_app::settings::Quotas::default();
        Self {
            connections_per_organization: quotas.connections,
            applications_per_organization: quotas.applications,
            environments_per_organization: quotas.environments,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7070)),
            public_url: None,
            database_url: None,
            organization: "default".into(),
            clouds: Clouds::default(),
            deployments: Deployments::default(),
            engine: Engine::default(),
            limits: Limits::default(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot use the configuration{}", .path.as_ref().map(|path| format!(" {}", path.display())).unwrap_or_default())]
    Read {
        path: Option<PathBuf>,
        #[source]
        source: config::ConfigError,
    },
    #[error("engine.wait_scale must be a number from 0.0001 to 100")]
    WaitScale,
    #[error("engine.lease_seconds must be a number from 1 to 3600")]
    LeaseSeconds,
}

impl Config {
    /// From `file` (or `landfall-server.toml` in the data folder when that
    /// exists) and the environment.
    pub fn load(file: Option<&Path>, data_dir: &Path) -> Result<Self, ConfigError> {
        let default = data_dir.join("landfall-server.toml");
        let path = file
            .map(Path::to_owned)
            .or_else(|| default.exists().then_some(default));
        let mut builder = config::Config::builder();
        if let Some(path) = &path {
            builder = builder.add_source(config::File::from(path.as_path()));
        }
        let read = builder
            .add_source(
                config::Environment::with_prefix("LANDFALL")
                    .prefix_separator("__")
                    .separator("__")
                    .try_parsing(true),
            )
            .build()
            .and_then(config::Config::try_deserialize);
        let config: Self = read.map_err(|source| ConfigError::Read { path, source })?;
        config.validated()
    }

    fn validated(self) -> Result<Self, ConfigError> {
        if !(0.0001..=100.0).contains(&self.engine.wait_scale) {
            return Err(ConfigError::WaitScale);
        }
        if !(1.0..=3600.0).contains(&self.engine.lease_seconds) {
            return Err(ConfigError::LeaseSeconds);
        }
        Ok(self)
    }

    pub fn public_url(&self) -> String {
        self.public_url.as_ref().map_or_else(
            || format!("http://{}", self.listen),
            |url| url.as_str().trim_end_matches('/').to_owned(),
        )
    }
}

/// Where a server on this machine keeps its state, and the command line finds
/// the admin token: `LANDFALL_DATA`, else the XDG data folder.
pub fn data_dir(given: Option<PathBuf>) -> PathBuf {
    given
        .or_else(|| {
            std::env::var_os("XDG_DATA_HOME").map(|dir| PathBuf::from(dir).join("landfall"))
        })
        .or_else(|| {
            std::env::var_os("HOME").map(|dir| PathBuf::from(dir).join(".local/share/landfall"))
        })
        .unwrap_or_else(|| PathBuf::from(".landfall"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("server.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file), dir.path())
    }

    #[test]
    fn an_empty_file_is_a_loopback_server_for_real_aws() {
        let config = load("").unwrap();
        assert!(config.listen.ip().is_loopback());
        assert!(config.clouds.aws.endpoint_url.is_none());
        assert_eq!(config.public_url(), "http://127.0.0.1:7070");
    }

    #[test]
    fn unknown_fields_and_useless_scales_are_refused() {
        assert!(load("listn = \"127.0.0.1:1\"").is_err());
        assert!(matches!(
            load("[engine]\nwait_scale = 0"),
            Err(ConfigError::WaitScale)
        ));
        assert!(matches!(
            load("[engine]\nlease_seconds = 0.1"),
            Err(ConfigError::LeaseSeconds)
        ));
    }

    #[test]
    fn secrets_do_not_print() {
        let config =
            load("[clouds.aws.identity]\nkind = \"static\"\naccess_key_id = \"AKIA\"\nsecret_access_key = \"canary\"").unwrap();
        assert!(!format!("{config:?}").contains("canary"));
    }
}
