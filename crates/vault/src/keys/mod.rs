//! Where the master keys come from.

pub mod command;
pub mod env;
pub mod file;
mod ring;

use crate::aead::Key;
use async_trait::async_trait;
use landfall_model::vault::{KeyVersion, VaultError};

/// A data key as a version of the master key wrapped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    pub version: u32,
    pub bytes: Vec<u8>,
}

/// A data key in the clear, overwritten when dropped.
pub type DataKey = Key;

/// A versioned key ring that wraps data keys. Wrapping, and not the keys, is the
/// port: a cloud's key service never gives its keys away.
#[async_trait]
pub trait MasterKeys: Send + Sync + 'static {
    /// In words, for people: `the key file /var/lib/landfall/vault.key`.
    fn describe(&self) -> String;

    /// The version that wraps now. Makes the first one where the source can.
    async fn current(&self) -> Result<u32, VaultError>;

    /// All versions that can unwrap, oldest first. Makes none.
    async fn versions(&self) -> Result<Vec<KeyVersion>, VaultError>;

    async fn wrap(&self, record: &str, data_key: &DataKey) -> Result<Wrapped, VaultError>;

    async fn unwrap(
        &self,
        version: u32,
        record: &str,
        wrapped: &[u8],
    ) -> Result<DataKey, VaultError>;

    /// Adds a version, which wraps from now on, and says which. `None` when only
    /// its operator can add one ([`MasterKeys::how_to_add`] says how).
    async fn add(&self) -> Result<Option<u32>, VaultError>;

    /// What an operator does to add a version where [`MasterKeys::add`] cannot.
    fn how_to_add(&self) -> String;
}

pub(crate) fn failed<E>(operation: &'static str) -> impl FnOnce(E) -> VaultError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| VaultError::Keys {
        operation,
        source: source.into(),
    }
}
