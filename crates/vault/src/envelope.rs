use crate::{
    aead::{self, KEY_LENGTH, Key},
    keys::MasterKeys,
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use landfall_model::{
    Entropy,
    vault::{FORMAT, Plain, Sealed, Vault, VaultError},
};
use std::sync::Arc;

/// Keys and passwords are a few kilobytes. What is larger is no secret but
/// somebody's file.
const LIMIT: usize = 64 * 1024;

/// The vault: seals with a data key per record.
pub struct Envelope {
    keys: Arc<dyn MasterKeys>,
    entropy: Arc<dyn Entropy>,
}

impl Envelope {
    pub fn new(keys: Arc<dyn MasterKeys>, entropy: Arc<dyn Entropy>) -> Self {
        Self { keys, entropy }
    }

    pub fn keys(&self) -> &dyn MasterKeys {
        &*self.keys
    }
}

/// What the secret is bound to. The format is in it, so that a later format
/// can never be made to read this one's bytes.
fn associated(record: &str) -> String {
    format!("landfall {FORMAT} secret {record}")
}

fn refused(record: &str) -> VaultError {
    VaultError::Refused {
        record: record.to_owned(),
    }
}

/// The wrapped data key and the sealed secret.
fn parts(record: &str, sealed: &Sealed) -> Result<(Vec<u8>, Vec<u8>), VaultError> {
    let mut parts = sealed.as_str().split('.').skip(2);
    let mut next = || {
        let part = parts.next().ok_or_else(|| refused(record))?;
        BASE64.decode(part).map_err(|_| refused(record))
    };
    Ok((next()?, next()?))
}

#[async_trait]
impl Vault for Envelope {
    async fn seal(&self, record: &str, plain: &Plain) -> Result<Sealed, VaultError> {
        let plain = plain.expose();
        if plain.len() > LIMIT {
            return Err(VaultError::TooLong {
                bytes: plain.len(),
                limit: LIMIT,
            });
        }
        let data_key = aead::new_key(&*self.entropy);
        let body = aead::seal(&data_key, &associated(record), plain, &*self.entropy)?;
        let wrapped = self.keys.wrap(record, &data_key).await?;
        let text = format!(
            "{FORMAT}.{}.{}.{}",
            wrapped.version,
            BASE64.encode(&wrapped.bytes),
            BASE64.encode(body)
        );
        // Only a version 0, which no source of keys may give, is refused here.
        Sealed::parse(text).map_err(|_| VaultError::Cryptography {
            operation: "use a master key without a version",
        })
    }

    async fn open(&self, record: &str, sealed: &Sealed) -> Result<Plain, VaultError> {
        let (wrapped, body) = parts(record, sealed)?;
        let data_key = self
            .keys
            .unwrap(sealed.key_version(), record, &wrapped)
            .await?;
        let mut opened =
            aead::open(&data_key, &associated(record), &body)?.ok_or_else(|| refused(record))?;
        Ok(Plain::new(std::mem::take(&mut *opened)))
    }

    async fn reseal(&self, record: &str, sealed: &Sealed) -> Result<Sealed, VaultError> {
        let plain = self.open(record, sealed).await?;
        self.seal(record, &plain).await
    }

    async fn key_version(&self) -> Result<u32, VaultError> {
        self.keys.current().await
    }
}

/// A data key that was unwrapped, from bytes that may have any length.
pub(crate) fn data_key(record: &str, bytes: &[u8]) -> Result<Key, VaultError> {
    let bytes: &[u8; KEY_LENGTH] = bytes.try_into().map_err(|_| refused(record))?;
    Ok(Key::new(*bytes))
}
