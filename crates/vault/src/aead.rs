//! AES-256-GCM with random 96-bit nonces. A data key seals once, so its nonce
//! never repeats; a master key wraps far fewer than 2^32 data keys.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use landfall_model::{Entropy, vault::VaultError};
use zeroize::Zeroizing;

pub(crate) const KEY_LENGTH: usize = 32;

/// Overwritten when dropped.
pub(crate) type Key = Zeroizing<[u8; KEY_LENGTH]>;

pub(crate) fn new_key(entropy: &dyn Entropy) -> Key {
    let mut key = Key::default();
    entropy.fill(key.as_mut());
    key
}

fn cipher(key: &Key) -> Result<LessSafeKey, VaultError> {
    UnboundKey::new(&AES_256_GCM, key.as_ref())
        .map(LessSafeKey::new)
        .map_err(|_| VaultError::Cryptography {
            operation: "use a key of the vault",
        })
}

/// Nonce, ciphertext, tag.
pub(crate) fn seal(
    key: &Key,
    associated: &str,
    plain: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, VaultError> {
    let nonce: [u8; NONCE_LEN] = entropy.array();
    let mut body = plain.to_vec();
    // Grown before it is encrypted: growing afterwards is harmless, but growing
    // a buffer that holds the plain text would leave a copy of it behind.
    body.reserve_exact(AES_256_GCM.tag_len());
    cipher(key)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated.as_bytes()),
            &mut body,
        )
        .map_err(|_| VaultError::Cryptography {
            operation: "seal a secret",
        })?;
    let mut sealed = nonce.to_vec();
    sealed.extend_from_slice(&body);
    Ok(sealed)
}

/// `None` when it was not sealed with this key for this purpose.
pub(crate) fn open(
    key: &Key,
    associated: &str,
    sealed: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let Some((nonce, body)) = sealed.split_first_chunk::<NONCE_LEN>() else {
        return Ok(None);
    };
    let mut buffer = Zeroizing::new(body.to_vec());
    let opened = cipher(key)?.open_in_place(
        Nonce::assume_unique_for_key(*nonce),
        Aad::from(associated.as_bytes()),
        &mut buffer,
    );
    let Ok(length) = opened.map(|plain| plain.len()) else {
        return Ok(None);
    };
    buffer.truncate(length);
    Ok(Some(buffer))
}
