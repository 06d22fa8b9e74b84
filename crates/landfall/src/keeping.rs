//! The vault and the issuer, as this installation is configured.

use crate::{
    clock::SystemClock,
    config::{Config, IssuerMode},
    secret_file, server,
};
use anyhow::Context as _;
use async_trait::async_trait;
use landfall_gcp::IssuerKeys;
use landfall_issuer::{IssuerUrl, KeyIssuer, Step, Uploaded, Uploads, Witness};
use landfall_model::{
    Clock, Entropy,
    entropy::SystemEntropy,
    id::{OrganizationId, SecretId},
    issuer::DISCOVERY_PATH,
    secret::{Secrets, SecretsError},
    signing_key::SigningKey,
    store::Store,
    vault::{Plain, Vault},
};
use landfall_vault::{CommandKeys, EnvKeys, Envelope, FileKeys, MasterKeys, Missing, check};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::{path::Path, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The name of the file in the data folder that holds the master keys.
pub const KEY_FILE: &str = "vault.key";

/// A key service across a network answers within seconds or not at all.
const COMMAND_LIMIT: Duration = Duration::from_secs(15);

/// How often a server looks whether a step of a rotation is due. Steps wait for
/// minutes and hours.
const LOOK: Duration = Duration::from_secs(60);

/// The database of this server, for what an operator does beside it.
pub async fn store(config: &Config, data_dir: &Path) -> anyhow::Result<Arc<dyn Store>> {
    secret_file::folder(data_dir)
        .with_context(|| format!("cannot use the data folder {}", data_dir.display()))?;
    let url = server::database_url(config, data_dir);
    let store = landfall_store::open(url.expose_secret(), Arc::new(SystemClock))
        .await
        .context("cannot open the database")?;
    #[cfg(debug_assertions)]
    let store = crate::kill_switch::armed(store)?;
    Ok(store)
}

/// Opens the vault, and refuses where its keys do not open what is stored: a
/// wrong key shall be found now and not when a secret is needed. No key is made
/// before something is sealed.
pub async fn vault(
    config: &Config,
    data_dir: &Path,
    store: &Arc<dyn Store>,
) -> anyhow::Result<Arc<Envelope>> {
    let vault = unchecked_vault(config, data_dir, Missing::Make(store.clone()))?;
    let damaged = check(&**store, &vault)
        .await
        .with_context(|| format!("cannot use {} as master keys", vault.keys().describe()))?;
    for record in damaged {
        tracing::warn!(record, "a sealed secret is damaged and does not open");
    }
    Ok(Arc::new(vault))
}

/// The vault without asking whether it opens what is stored: for what says so
/// itself, and for repairing.
pub fn unchecked_vault(
    config: &Config,
    data_dir: &Path,
    missing: Missing,
) -> anyhow::Result<Envelope> {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let keys = keys(config, data_dir, missing, entropy.clone())?;
    Ok(Envelope::new(keys, entropy))
}

fn keys(
    config: &Config,
    data_dir: &Path,
    missing: Missing,
    entropy: Arc<dyn Entropy>,
) -> anyhow::Result<Arc<dyn MasterKeys>> {
    if let Some(command) = &config.vault.command {
        let keys = CommandKeys::new(command, COMMAND_LIMIT).context("cannot use vault.command")?;
        return Ok(Arc::new(keys));
    }
    if let Some(variable) = &config.vault.key_env {
        let keys = EnvKeys::new(variable, entropy).context("cannot use vault.key_env")?;
        return Ok(Arc::new(keys));
    }
    let file = config.vault.key_file.clone();
    let path = file.unwrap_or_else(|| data_dir.join(KEY_FILE));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(Arc::new(FileKeys::new(path, missing, clock, entropy)))
}

/// What connectors open the secrets of their connections with.
pub fn secrets(store: Arc<dyn Store>, vault: Arc<dyn Vault>) -> Arc<dyn Secrets> {
    Arc::new(Kept { store, vault })
}

struct Kept {
    store: Arc<dyn Store>,
    vault: Arc<dyn Vault>,
}

#[async_trait]
impl Secrets for Kept {
    async fn open(
        &self,
        organization: &OrganizationId,
        id: &SecretId,
    ) -> Result<Plain, SecretsError> {
        let stored = self.store.secret(organization, id).await;
        let secret = stored
            .map_err(SecretsError::Store)?
            .ok_or_else(|| SecretsError::Missing { id: id.clone() })?;
        self.vault
            .open(&secret.record(), &secret.sealed)
            .await
            .map_err(SecretsError::Vault)
    }
}

pub fn issuer(
    config: &Config,
    store: Arc<dyn Store>,
    vault: Arc<dyn Vault>,
) -> anyhow::Result<Arc<KeyIssuer>> {
    let url = config.issuer_url()?;
    let mut witnesses: Vec<Arc<dyn Witness>> = Vec::new();
    if let (Some(url), IssuerMode::Static) = (&url, config.issuer.mode) {
        witnesses.push(Arc::new(Served::new(url)?));
    }
    let uploads = match config.clouds.gcp.issuer_keys {
        IssuerKeys::Uploaded => Uploads::Required,
        IssuerKeys::Fetched => Uploads::LeftOver,
    };
    witnesses.push(Arc::new(Uploaded::new(store.clone(), uploads)));
    Ok(Arc::new(KeyIssuer::new(
        store,
        vault,
        Arc::new(SystemClock),
        Arc::new(SystemEntropy),
        url,
        witnesses,
    )))
}

/// The keys that a cloud finds at the issuer's URL.
pub async fn served(url: &IssuerUrl) -> anyhow::Result<Vec<Value>> {
    let fetched = Served::new(url)?.keys().await;
    fetched.map_err(anyhow::Error::from_boxed)
}

/// The documents at the issuer's URL, as the clouds fetch them.
struct Served {
    url: String,
    client: reqwest::Client,
}

impl Served {
    fn new(url: &IssuerUrl) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .https_only(true)
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self {
            url: url.as_str().to_owned(),
            client,
        })
    }

    async fn get(&self, url: &str) -> Result<Value, reqwest::Error> {
        let response = self.client.get(url).send().await?;
        response.error_for_status()?.json().await
    }

    /// By way of the discovery document, like every cloud.
    async fn keys(&self) -> Result<Vec<Value>, Box<dyn std::error::Error + Send + Sync>> {
        let discovery = self.get(&format!("{}{DISCOVERY_PATH}", self.url)).await?;
        if discovery["issuer"] != self.url.as_str() {
            let found = &discovery["issuer"];
            return Err(format!("its discovery document says the issuer {found}").into());
        }
        let Some(place) = discovery["jwks_uri"].as_str() else {
            return Err("its discovery document names no key set".into());
        };
        let mut jwks = self.get(place).await?;
        match jwks["keys"].take() {
            Value::Array(keys) => Ok(keys),
            _ => Err(format!("{place} is no key set").into()),
        }
    }
}

#[async_trait]
impl Witness for Served {
    fn name(&self) -> String {
        self.url.clone()
    }

    async fn sees(&self, key: &SigningKey) -> Result<(), String> {
        let keys = self.keys().await.map_err(|error| error.to_string())?;
        if keys.iter().any(|one| one["kid"] == key.id.as_str()) {
            return Ok(());
        }
        Err(format!("the key is not among the {} there", keys.len()))
    }
}

/// Takes the steps of a rotation when they are due, until the server stops.
pub async fn advance(issuer: Arc<KeyIssuer>, stop: CancellationToken) {
    let mut waiting = false;
    loop {
        match issuer.advance().await {
            Ok(steps) => {
                let waits = |step: &Step| matches!(step, Step::Waiting { .. });
                // Once, not each minute.
                let news = !waiting;
                waiting = steps.iter().any(waits);
                for step in steps.iter().filter(|step| news || !waits(step)) {
                    tracing::info!(?step, "rotating the signing keys");
                }
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(tracing::field::display);
                tracing::warn!(cause, "{error}");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
