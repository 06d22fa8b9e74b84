//! Master keys in memory: a file's for the length of one use, a variable's for
//! the life of the process. Overwritten when dropped.

use super::{DataKey, Wrapped};
use crate::{
    aead::{self, Key},
    envelope,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use landfall_model::{
    Entropy, Timestamp,
    vault::{FORMAT, KeyVersion, VaultError},
};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

pub(super) struct MasterKey {
    pub(super) key: Key,
    pub(super) created_at: Option<Timestamp>,
}

/// Never empty.
pub(super) struct Ring {
    keys: BTreeMap<u32, MasterKey>,
    current: u32,
}

/// Never repeats a line: it holds a key.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidRing {
    #[error("there is no key in it")]
    Empty,
    #[error("entry {0} is not `<version> <time> <32 bytes in base64>`")]
    Entry(usize),
    #[error("version {0} is there twice")]
    Twice(u32),
}

impl Ring {
    pub(super) fn first(now: Timestamp, entropy: &dyn Entropy) -> Self {
        let key = MasterKey {
            key: aead::new_key(entropy),
            created_at: Some(now),
        };
        Self {
            keys: BTreeMap::from([(1, key)]),
            current: 1,
        }
    }

    pub(super) fn new(
        entries: impl IntoIterator<Item = (u32, MasterKey)>,
    ) -> Result<Self, InvalidRing> {
        let mut keys = BTreeMap::new();
        for (version, key) in entries {
            if keys.insert(version, key).is_some() {
                return Err(InvalidRing::Twice(version));
            }
        }
        let current = *keys.keys().next_back().ok_or(InvalidRing::Empty)?;
        Ok(Self { keys, current })
    }

    pub(super) const fn current(&self) -> u32 {
        self.current
    }

    pub(super) fn versions(&self) -> Vec<KeyVersion> {
        let version = |(version, key): (&u32, &MasterKey)| KeyVersion {
            version: *version,
            created_at: key.created_at,
        };
        self.keys.iter().map(version).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &MasterKey)> {
        self.keys.iter().map(|(version, key)| (*version, key))
    }

    pub(super) fn add(&mut self, now: Timestamp, entropy: &dyn Entropy) -> Result<u32, VaultError> {
        let version = self
            .current
            .checked_add(1)
            .ok_or(VaultError::Cryptography {
                operation: "count versions of the master key any further",
            })?;
        let key = MasterKey {
            key: aead::new_key(entropy),
            created_at: Some(now),
        };
        self.keys.insert(version, key);
        self.current = version;
        Ok(version)
    }

    fn key(&self, version: u32) -> Result<&Key, VaultError> {
        self.keys
            .get(&version)
            .map(|one| &one.key)
            .ok_or(VaultError::UnknownVersion { version })
    }

    pub(super) fn wrap(
        &self,
        record: &str,
        data_key: &DataKey,
        entropy: &dyn Entropy,
    ) -> Result<Wrapped, VaultError> {
        let version = self.current;
        let associated = associated(version, record);
        let bytes = aead::seal(self.key(version)?, &associated, &data_key[..], entropy)?;
        Ok(Wrapped { version, bytes })
    }

    pub(super) fn unwrap(
        &self,
        version: u32,
        record: &str,
        wrapped: &[u8],
    ) -> Result<DataKey, VaultError> {
        let opened = aead::open(self.key(version)?, &associated(version, record), wrapped)?;
        match opened {
            Some(bytes) => envelope::data_key(record, &bytes),
            None => Err(VaultError::Refused {
                record: record.to_owned(),
            }),
        }
    }
}

fn associated(version: u32, record: &str) -> String {
    format!("landfall {FORMAT} data key {version} {record}")
}

/// 32 bytes in standard base64.
pub(super) fn decode(text: &str) -> Option<Key> {
    let bytes = Zeroizing::new(BASE64.decode(text).ok()?);
    let bytes: &[u8; aead::KEY_LENGTH] = bytes.as_slice().try_into().ok()?;
    Some(Key::new(*bytes))
}

pub(super) fn encode(key: &Key) -> Zeroizing<String> {
    Zeroizing::new(BASE64.encode(&key[..]))
}
