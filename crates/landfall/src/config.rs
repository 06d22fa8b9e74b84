//! The server's configuration: a TOML file, overridden by the environment
//! (`LANDFALL__CLOUDS__AWS__HOME_REGION`).

use landfall_issuer::IssuerUrl;
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
    pub vault: Vault,
    pub issuer: Issuer,
    pub deployments: Deployments,
    pub engine: Engine,
    pub limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clouds {
    /// What the operator must own before real AWS works, and where AWS is.
    pub aws: landfall_aws::AwsConfig,
    pub gcp: landfall_gcp::GcpConfig,
    pub azure: landfall_azure::AzureConfig,
}

/// Where the master keys are; at most one of them. Default: `vault.key` in the
/// data folder.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vault {
    pub key_file: Option<PathBuf>,
    /// The name of an environment variable.
    pub key_env: Option<String>,
    /// A program and its arguments; no shell reads it.
    pub command: Option<Vec<String>>,
}

/// Landfall as an OIDC issuer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Issuer {
    pub mode: IssuerMode,
    /// The URL from which the clouds fetch the documents. Default in mode
    /// `server`: `public_url`, when it is https.
    pub url: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerMode {
    /// This server serves the documents.
    #[default]
    Server,
    /// The operator uploads what `landfall issuer export` writes.
    Static,
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
            vault: Vault::default(),
            issuer: Issuer::default(),
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
    #[error("set one of vault.key_file, vault.key_env and vault.command, not several")]
    SeveralKeys,
    #[error("issuer.mode = \"static\" needs issuer.url: where the exported documents are")]
    NoIssuerUrl,
    #[error("cannot use issuer.url")]
    IssuerUrl(#[source] landfall_issuer::InvalidUrl),
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
        let sources = [
            self.vault.key_file.is_some(),
            self.vault.key_env.is_some(),
            self.vault.command.is_some(),
        ];
        if sources.into_iter().filter(|given| *given).count() > 1 {
            return Err(ConfigError::SeveralKeys);
        }
        self.issuer_url()?;
        Ok(self)
    }

    /// `None` when this server has no address that the clouds could reach.
    pub fn issuer_url(&self) -> Result<Option<IssuerUrl>, ConfigError> {
        let parse = |url: &str| IssuerUrl::parse(url).map(Some);
        match (&self.issuer.url, self.issuer.mode) {
            (Some(url), _) => parse(url).map_err(ConfigError::IssuerUrl),
            (None, IssuerMode::Static) => Err(ConfigError::NoIssuerUrl),
            // An address with a port is good for people and not for AWS: no
            // reason not to start.
            (None, IssuerMode::Server) => Ok(parse(&self.public_url()).unwrap_or_default()),
        }
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
    fn an_issuer_needs_an_address_that_the_clouds_take() {
        let url = |text: &str| load(text).unwrap().issuer_url().unwrap();
        assert_eq!(url(""), None);
        assert_eq!(url("public_url = \"https://lf.example.com:8443\""), None);
        let found = url("public_url = \"https://lf.example.com/\"").unwrap();
        assert_eq!(found.as_str(), "https://lf.example.com");
        let own = "public_url = \"http://10.0.0.1\"\n[issuer]\nurl = \"https://id.example.com\"";
        assert_eq!(url(own).unwrap().as_str(), "https://id.example.com");
        assert!(matches!(
            load("[issuer]\nmode = \"static\""),
            Err(ConfigError::NoIssuerUrl)
        ));
        assert!(matches!(
            load("[issuer]\nurl = \"http://id.example.com\""),
            Err(ConfigError::IssuerUrl(_))
        ));
    }

    #[test]
    fn the_master_keys_are_in_one_place() {
        assert!(load("[vault]\nkey_env = \"KEYS\"").is_ok());
        assert!(matches!(
            load("[vault]\nkey_env = \"KEYS\"\ncommand = [\"kms\"]"),
            Err(ConfigError::SeveralKeys)
        ));
    }

    /// Each on its own: what else it needs is another error.
    #[test]
    fn every_setting_of_the_page_is_one_and_takes_its_example() {
        let page = include_str!("../../../docs/settings.md");
        let mut settings = 0;
        for line in page.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            if cells.len() == 3 {
                // Of the environment.
                continue;
            }
            let [setting, _, _, example] = cells[..] else {
                panic!("{line}");
            };
            let (setting, example) = (setting.trim_matches('`'), example.trim_matches('`'));
            settings += 1;
            let refused = load(&format!("{setting} = {example}")).err();
            let Some(ConfigError::Read { source, .. }) = refused else {
                continue;
            };
            let said = source.to_string();
            assert!(
                said.starts_with("missing configuration field"),
                "{setting}: {said}"
            );
        }
        assert!(settings > 35, "{settings}");
    }

    #[test]
    fn secrets_do_not_print() {
        let config =
            load("[clouds.aws.identity]\nkind = \"static\"\naccess_key_id = \"AKIA\"\nsecret_access_key = \"canary\"").unwrap();
        assert!(!format!("{config:?}").contains("canary"));
    }
}
