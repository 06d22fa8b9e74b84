//! Whether the vault opens what the database holds: asked before a server
//! serves, so that a missing or wrong key is found at once and not when a
//! secret is needed.

use landfall_model::{
    id::SecretId,
    signing_key::SigningKey,
    store::{Store, StoreError},
    vault::{Vault, VaultError},
};

#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("cannot read the sealed secrets")]
    Store(#[from] StoreError),
    #[error("the vault does not open what the database holds")]
    Vault(#[from] VaultError),
}

/// Opens the oldest record of each version of the master key that is in use.
/// Costs one question per version and one record each, whatever is stored.
pub async fn check(store: &dyn Store, vault: &dyn Vault) -> Result<(), CheckError> {
    for (version, _) in store.secret_counts().await? {
        let above = version.saturating_add(1);
        let mut after: Option<SecretId> = None;
        // Ordered by id, not by version: the first of this version may be
        // behind some of older ones, few as those are after a rotation.
        'version: loop {
            let batch = store.secrets_under(above, after.as_ref(), 100).await?;
            for secret in &batch {
                if secret.sealed.key_version() == version {
                    vault.open(&secret.record(), &secret.sealed).await?;
                    break 'version;
                }
            }
            match batch.last() {
                Some(last) => after = Some(last.id.clone()),
                None => break,
            }
        }
    }
    for key in store.signing_keys().await? {
        if let Some(private) = key.state.private() {
            vault.open(&SigningKey::record(&key.id), private).await?;
        }
    }
    Ok(())
}

/// Whether anything sealed is stored: then a missing key file is not made anew.
pub async fn holds_secrets(store: &dyn Store) -> Result<bool, StoreError> {
    if !store.secret_counts().await?.is_empty() {
        return Ok(true);
    }
    let keys = store.signing_keys().await?;
    Ok(keys.iter().any(|key| key.state.private().is_some()))
}
