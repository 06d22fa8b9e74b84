//! Secrets that Landfall makes: shown once, stored as SHA-256.
//!
//! They have 256 random bits, so a plain hash is enough: there is nothing to
//! guess, and looking the hash up in an index leaks no useful timing.

use landfall_model::{Entropy, digest::Digest};
use secrecy::{ExposeSecret, SecretString};

const TOKEN_PREFIX: &str = "lf_";

/// An API token: `lf_` and 64 hexadecimal digits, so that secret scanners can
/// find one that was published by mistake.
pub(crate) fn token(entropy: &dyn Entropy) -> SecretString {
    SecretString::from(format!("{TOKEN_PREFIX}{}", random(entropy)))
}

/// A browser session's cookie.
pub(crate) fn session(entropy: &dyn Entropy) -> SecretString {
    SecretString::from(random(entropy))
}

fn random(entropy: &dyn Entropy) -> String {
    hex::encode(entropy.array::<32>())
}

pub(crate) fn hash(secret: &SecretString) -> Digest {
    Digest::of_bytes(secret.expose_secret().as_bytes())
}

/// Whether it could be one of ours: saves the database from nonsense.
pub(crate) fn looks_like_token(secret: &SecretString) -> bool {
    secret
        .expose_secret()
        .strip_prefix(TOKEN_PREFIX)
        .is_some_and(is_hex)
}

pub(crate) fn looks_like_session(secret: &SecretString) -> bool {
    is_hex(secret.expose_secret())
}

fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
