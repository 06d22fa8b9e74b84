//! A new version of the master key, and every record sealed anew under it,
//! while servers run.
//!
//! Nothing becomes unreadable at any instant: a version is on the disk before
//! it seals, old ones stay in the ring, and each record is replaced in one
//! write that names the version it read. If we die anywhere, the next rotation
//! finds records under older versions and goes on with them.

use crate::{CheckError, Envelope, MasterKeys, check::opens_anything, keys::failed};
use landfall_model::{
    id::SecretId,
    secret::Secret,
    signing_key::SigningKey,
    store::{Store, StoreError, Write},
    vault::{Sealed, Vault, VaultError},
};
use serde::Serialize;

#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error("cannot read or write the sealed secrets")]
    Store(#[from] StoreError),
    #[error("cannot seal under the new key")]
    Vault(#[from] VaultError),
    /// Nothing is left to do, and only the operator can add a key.
    #[error("all secrets are under the newest key; to rotate, {how}")]
    AddByHand { how: String },
    /// These are not the keys of what is stored, and one more of them would
    /// stand beside secrets that need others.
    #[error("nothing that is stored opens with {keys}, and a new key would not change that")]
    NothingOpens { keys: String },
}

impl From<CheckError> for RotateError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Store(error) => Self::Store(error),
            CheckError::Vault(error) => Self::Vault(error),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the newest version is {newest}, and what was sealed just now is under version {used}")]
struct NotTheNewest {
    newest: u32,
    used: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// The version that everything is under now.
    pub version: u32,
    /// True when an interrupted rotation was ended, instead of adding a key.
    pub resumed: bool,
    /// Records sealed anew.
    pub resealed: u64,
    /// Records that do not open, left as they are.
    pub unreadable: Vec<String>,
}

/// A version of the master key and what it seals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VersionUse {
    pub version: u32,
    pub created_at: Option<landfall_model::Timestamp>,
    /// Whether it seals what is stored now.
    pub current: bool,
    /// False when records need it and it is not in the ring.
    pub available: bool,
    pub secrets: u64,
    pub signing_keys: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Where the master keys are, in words.
    pub keys: String,
    pub versions: Vec<VersionUse>,
}

/// The versions there are and the versions in use. Makes no key.
pub async fn show(store: &dyn Store, keys: &dyn MasterKeys) -> Result<Shown, RotateError> {
    let mut versions: Vec<VersionUse> = keys
        .versions()
        .await?
        .into_iter()
        .map(|one| VersionUse {
            created_at: one.created_at,
            available: true,
            ..unused(one.version)
        })
        .collect();
    if !versions.is_empty() {
        let current = keys.current().await?;
        for one in &mut versions {
            one.current = one.version == current;
        }
    }
    for (version, count) in store.secret_counts().await? {
        entry(&mut versions, version).secrets = count;
    }
    for key in store.signing_keys().await? {
        if let Some(private) = key.state.private() {
            entry(&mut versions, private.key_version()).signing_keys += 1;
        }
    }
    versions.sort_by_key(|one| one.version);
    Ok(Shown {
        keys: keys.describe(),
        versions,
    })
}

const fn unused(version: u32) -> VersionUse {
    VersionUse {
        version,
        created_at: None,
        current: false,
        available: false,
        secrets: 0,
        signing_keys: 0,
    }
}

fn entry(versions: &mut Vec<VersionUse>, version: u32) -> &mut VersionUse {
    let index = versions.iter().position(|one| one.version == version);
    let index = index.unwrap_or_else(|| {
        versions.push(unused(version));
        versions.len() - 1
    });
    &mut versions[index]
}

/// Ends an interrupted rotation, or adds a version; then seals every record
/// that is under an older one anew, `batch` at a time.
pub async fn rotate(
    store: &dyn Store,
    vault: &Envelope,
    batch: u32,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Rotated, RotateError> {
    let mut pass = Pass {
        store,
        vault,
        resealed: 0,
        unreadable: Vec::new(),
        total: 0,
        progress,
    };
    let mut version = vault.key_version().await?;
    pass.all(version, batch).await?;
    // Records that do not open are under an older key for ever: they are no
    // rotation that was interrupted.
    let resumed = pass.resealed > 0;
    if !resumed {
        if !opens_anything(store, vault).await? {
            return Err(RotateError::NothingOpens {
                keys: vault.keys().describe(),
            });
        }
        version = match vault.keys().add().await? {
            Some(added) => added,
            None => {
                return Err(RotateError::AddByHand {
                    how: vault.keys().how_to_add(),
                });
            }
        };
        pass.all(version, batch).await?;
    }
    pass.unreadable.sort();
    pass.unreadable.dedup();
    Ok(Rotated {
        version,
        resumed,
        resealed: pass.resealed,
        unreadable: pass.unreadable,
    })
}

/// How many records are under versions older than this one.
async fn left(store: &dyn Store, version: u32) -> Result<u64, RotateError> {
    let counts = store.secret_counts().await?;
    let older = counts.iter().filter(|(under, _)| *under < version);
    let secrets: u64 = older.map(|(_, count)| count).sum();
    let keys = store.signing_keys().await?;
    let private = keys.iter().filter_map(|key| key.state.private());
    let keys = private.filter(|sealed| sealed.key_version() < version);
    Ok(secrets.saturating_add(u64::try_from(keys.count()).unwrap_or(u64::MAX)))
}

struct Pass<'a> {
    store: &'a dyn Store,
    vault: &'a Envelope,
    resealed: u64,
    unreadable: Vec<String>,
    total: u64,
    progress: &'a mut (dyn FnMut(Progress) + Send),
}

impl Pass<'_> {
    /// Until a pass finds nothing: a server may have sealed with the older key
    /// between reading the ring and writing its record.
    async fn all(&mut self, version: u32, batch: u32) -> Result<(), RotateError> {
        self.total = left(self.store, version).await?;
        loop {
            let before = self.resealed;
            self.signing_keys(version).await?;
            self.secrets(version, batch.max(1)).await?;
            if self.resealed == before {
                return Ok(());
            }
        }
    }

    async fn secrets(&mut self, version: u32, batch: u32) -> Result<(), RotateError> {
        let mut after: Option<SecretId> = None;
        loop {
            let found = self
                .store
                .secrets_under(version, after.as_ref(), batch)
                .await?;
            let Some(last) = found.last() else {
                return Ok(());
            };
            after = Some(last.id.clone());
            let mut writes = Vec::with_capacity(found.len());
            for secret in found {
                let record = secret.record();
                if let Some(sealed) = self.reseal(&record, &secret.sealed, version).await? {
                    writes.push(Write::PutSecret(Secret {
                        sealed,
                        version: secret.version.saturating_add(1),
                        ..secret
                    }));
                }
            }
            self.commit(writes).await?;
        }
    }

    async fn signing_keys(&mut self, version: u32) -> Result<(), RotateError> {
        for key in self.store.signing_keys().await? {
            let Some(private) = key.state.private() else {
                continue;
            };
            if private.key_version() >= version {
                continue;
            }
            let record = SigningKey::record(&key.id);
            if let Some(sealed) = self.reseal(&record, private, version).await?
                && let Some(key) = key.resealed(sealed)
            {
                self.commit(vec![Write::PutSigningKey(key)]).await?;
            }
        }
        Ok(())
    }

    /// `None` when it cannot be opened: one damaged record does not keep the
    /// others under an old key.
    async fn reseal(
        &mut self,
        record: &str,
        sealed: &Sealed,
        version: u32,
    ) -> Result<Option<Sealed>, RotateError> {
        match self.vault.reseal(record, sealed).await {
            // A command that describes one version and wraps with an older one:
            // each pass would find the same records again, for ever.
            Ok(sealed) if sealed.key_version() < version => {
                let used = sealed.key_version();
                let newest = version;
                let error = NotTheNewest { newest, used };
                Err(failed("seal with the newest key")(error).into())
            }
            Ok(sealed) => Ok(Some(sealed)),
            Err(VaultError::Refused { .. } | VaultError::UnknownVersion { .. }) => {
                self.unreadable.push(record.to_owned());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All in one transaction, or one by one when somebody changed one of them
    /// meanwhile; a changed one is found again by the next pass if it is still
    /// under an older key.
    async fn commit(&mut self, writes: Vec<Write>) -> Result<(), RotateError> {
        let count = u64::try_from(writes.len()).unwrap_or(u64::MAX);
        if count == 0 {
            return Ok(());
        }
        match self.store.commit(writes.clone()).await {
            Ok(()) => self.add(count),
            Err(StoreError::Conflict { .. }) => {
                for write in writes {
                    match self.store.commit(vec![write]).await {
                        Ok(()) => self.add(1),
                        Err(StoreError::Conflict { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn add(&mut self, count: u64) {
        self.resealed = self.resealed.saturating_add(count);
        let total = self.total.max(self.resealed);
        (self.progress)(Progress {
            done: self.resealed,
            total,
        });
    }
}
