//! The key ring in an environment variable: for containers whose platform
//! keeps secrets and gives them so.

use super::{
    DataKey, MasterKeys, Wrapped, failed,
    ring::{self, MasterKey, Ring},
};
use async_trait::async_trait;
use landfall_model::{
    Entropy,
    vault::{KeyVersion, VaultError},
};
use std::sync::Arc;
use zeroize::Zeroizing;

pub struct EnvKeys {
    variable: String,
    ring: Ring,
    entropy: Arc<dyn Entropy>,
}

/// Never repeats the value: it holds keys.
#[derive(Debug, thiserror::Error)]
enum InvalidVariable {
    #[error("it holds no text")]
    Text,
    #[error("entry {0} is not `<version>:<32 bytes in base64>`")]
    Entry(usize),
    #[error(transparent)]
    Ring(ring::InvalidRing),
}

impl EnvKeys {
    /// From `<version>:<key>` entries with commas between them, the highest
    /// version being the current one. An absent variable is no key, and never
    /// a reason to make one: it would be gone with the process.
    pub fn new(variable: &str, entropy: Arc<dyn Entropy>) -> Result<Self, VaultError> {
        let value = std::env::var_os(variable)
            .map(std::ffi::OsString::into_string)
            .transpose()
            .map_err(|_| failed("read the variable")(InvalidVariable::Text))?;
        Self::holding(variable, value, entropy)
    }

    /// The same of a variable that was read.
    pub fn holding(
        variable: &str,
        value: Option<String>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, VaultError> {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return Err(VaultError::NoKey {
                next_step: format!(
                    "set {variable} to 1:<32 random bytes in base64> (openssl rand -base64 32)"
                ),
            });
        };
        let ring = parse(&Zeroizing::new(value)).map_err(failed("read the variable"))?;
        Ok(Self {
            variable: variable.to_owned(),
            ring,
            entropy,
        })
    }
}

fn parse(value: &str) -> Result<Ring, InvalidVariable> {
    let mut entries = Vec::new();
    for (index, text) in value.split(',').enumerate() {
        let entry = entry(text.trim()).ok_or(InvalidVariable::Entry(index + 1))?;
        entries.push(entry);
    }
    Ring::new(entries).map_err(InvalidVariable::Ring)
}

fn entry(text: &str) -> Option<(u32, MasterKey)> {
    let (version, key) = text.split_once(':')?;
    let version = version.parse().ok().filter(|version| *version > 0)?;
    let key = ring::decode(key)?;
    let created_at = None;
    Some((version, MasterKey { key, created_at }))
}

#[async_trait]
impl MasterKeys for EnvKeys {
    fn describe(&self) -> String {
        format!("the environment variable {}", self.variable)
    }

    async fn current(&self) -> Result<u32, VaultError> {
        Ok(self.ring.current())
    }

    async fn versions(&self) -> Result<Vec<KeyVersion>, VaultError> {
        Ok(self.ring.versions())
    }

    async fn wrap(&self, record: &str, data_key: &DataKey) -> Result<Wrapped, VaultError> {
        self.ring.wrap(record, data_key, &*self.entropy)
    }

    async fn unwrap(
        &self,
        version: u32,
        record: &str,
        wrapped: &[u8],
    ) -> Result<DataKey, VaultError> {
        self.ring.unwrap(version, record, wrapped)
    }

    async fn add(&self) -> Result<Option<u32>, VaultError> {
        Ok(None)
    }

    fn how_to_add(&self) -> String {
        format!(
            "append ,{}:<32 random bytes in base64> to {}, restart every server, and repeat this",
            self.ring.current().saturating_add(1),
            self.variable
        )
    }
}
