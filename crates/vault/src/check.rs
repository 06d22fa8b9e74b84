//! Whether the vault opens what the database holds: asked before a server
//! serves, so that a missing or wrong key is found at once and not when a
//! secret is needed.

use landfall_model::{
    id::SecretId,
    signing_key::SigningKey,
    store::{Store, StoreError},
    vault::{Sealed, Vault, VaultError},
};
use std::collections::BTreeSet;

/// How many records of a version are tried before none of them opens: damage
/// is one record or a few, a wrong key is all of them.
const TRIED: usize = 100;

#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("cannot read the sealed secrets")]
    Store(#[from] StoreError),
    #[error("the vault does not open what the database holds")]
    Vault(#[from] VaultError),
}

/// Opens a record of each version of the master key that is in use. Says which
/// records it met that do not open although their key must be right: another
/// record of their version opens, or one of a newer version. Such records are
/// damaged, and no reason to keep the others from being used; a rotation leaves
/// them where they are, and may leave no other of their version.
///
/// Costs one opened record per version where nothing is damaged. To find it,
/// the ids below the first one of the version are read, which are few after a
/// rotation, and many where a key was added and nothing was rotated yet.
pub async fn check(store: &dyn Store, vault: &dyn Vault) -> Result<Vec<String>, CheckError> {
    let mut damaged = Vec::new();
    let mut newer_opens = false;
    for version in versions(store).await?.into_iter().rev() {
        let tried = try_version(store, vault, version).await?;
        match tried.refused {
            // A wrong key, as far as anybody can tell.
            Some(error) if !tried.opens && !newer_opens => return Err(error.into()),
            _ => damaged.extend(tried.records),
        }
        newer_opens |= tried.opens;
    }
    Ok(damaged)
}

/// Whether there is nothing sealed, or one record at least that opens.
pub(crate) async fn opens_anything(
    store: &dyn Store,
    vault: &dyn Vault,
) -> Result<bool, CheckError> {
    let versions = versions(store).await?;
    for version in versions.iter().rev() {
        match try_version(store, vault, *version).await {
            Ok(tried) if tried.opens => return Ok(true),
            Ok(_) | Err(CheckError::Vault(VaultError::UnknownVersion { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(versions.is_empty())
}

async fn versions(store: &dyn Store) -> Result<BTreeSet<u32>, StoreError> {
    let secrets = store.secret_counts().await?;
    let keys = store.signing_keys().await?;
    let private = keys.iter().filter_map(|key| key.state.private());
    Ok(secrets
        .into_iter()
        .map(|(version, _)| version)
        .chain(private.map(Sealed::key_version))
        .collect())
}

/// What became of the records of one version.
#[derive(Default)]
struct Tried {
    opens: bool,
    /// Those that do not open, and why the last of them did not.
    records: Vec<String>,
    refused: Option<VaultError>,
}

impl Tried {
    /// False when no other record need be tried.
    async fn goes_on(
        &mut self,
        vault: &dyn Vault,
        record: String,
        sealed: &Sealed,
    ) -> Result<bool, VaultError> {
        match vault.open(&record, sealed).await {
            Ok(_) => self.opens = true,
            Err(error @ VaultError::Refused { .. }) => {
                self.records.push(record);
                self.refused = Some(error);
            }
            Err(error) => return Err(error),
        }
        Ok(!self.opens && self.records.len() < TRIED)
    }
}

/// Until one opens.
async fn try_version(
    store: &dyn Store,
    vault: &dyn Vault,
    version: u32,
) -> Result<Tried, CheckError> {
    let mut tried = Tried::default();
    for key in store.signing_keys().await? {
        if let Some(private) = key.state.private()
            && private.key_version() == version
            && !tried
                .goes_on(vault, SigningKey::record(&key.id), private)
                .await?
        {
            return Ok(tried);
        }
    }
    let above = version.saturating_add(1);
    let mut after: Option<SecretId> = None;
    loop {
        let batch = store.secrets_under(above, after.as_ref(), 100).await?;
        for secret in &batch {
            if secret.sealed.key_version() == version
                && !tried
                    .goes_on(vault, secret.record(), &secret.sealed)
                    .await?
            {
                return Ok(tried);
            }
        }
        match batch.last() {
            Some(last) => after = Some(last.id.clone()),
            None => return Ok(tried),
        }
    }
}

/// Whether anything sealed is stored: then a missing key file is not made anew.
pub async fn holds_secrets(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(!versions(store).await?.is_empty())
}
