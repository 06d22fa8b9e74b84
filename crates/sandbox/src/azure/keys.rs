//! The key that Entra signs its tokens with.

use super::state::Cloud;
use crate::jwt::{Key, Unverified};
use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The key could not be made or read: the machine's fault.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the signing key cannot be used")]
pub(super) struct KeyError;

pub(super) struct Signer {
    pair: KeyPair,
    pub kid: String,
    pub jwk: Value,
}

impl Signer {
    fn read(pkcs8: &str) -> Result<Self, KeyError> {
        let der = STANDARD.decode(pkcs8).map_err(|_| KeyError)?;
        let pair = KeyPair::from_pkcs8(&der).map_err(|_| KeyError)?;
        let (n, e) = integers(pair.public_key().as_ref()).ok_or(KeyError)?;
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        let canonical = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()));
        Ok(Self {
            jwk: json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e }),
            kid,
            pair,
        })
    }

    /// Whether a token is one of ours.
    pub(super) fn signed(&self, token: &Unverified) -> bool {
        Key::read(&self.jwk).is_some_and(|key| token.signed_by(&key))
    }

    pub(super) fn sign(&self, claims: &Value) -> Result<String, KeyError> {
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": self.kid });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| KeyError)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl Cloud {
    /// The key that signs tokens, when it has been needed before.
    pub(super) fn known_signer(&self) -> Option<Result<Arc<Signer>, KeyError>> {
        self.signing_key.as_deref().map(parsed)
    }

    /// The key that signs tokens, made now when there is none.
    pub(super) fn signer(&mut self) -> Result<Arc<Signer>, KeyError> {
        if self.signing_key.is_none() {
            let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError)?;
            let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError)?;
            self.signing_key = Some(STANDARD.encode(der.as_ref()));
        }
        parsed(self.signing_key.as_deref().unwrap_or_default())
    }
}

/// Reading a key costs more than using it, and each request uses it.
fn parsed(pkcs8: &str) -> Result<Arc<Signer>, KeyError> {
    static PARSED: OnceLock<Mutex<HashMap<String, Arc<Signer>>>> = OnceLock::new();
    let mut parsed = PARSED
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(signer) = parsed.get(pkcs8) {
        return Ok(Arc::clone(signer));
    }
    let signer = Arc::new(Signer::read(pkcs8)?);
    parsed.insert(pkcs8.to_owned(), Arc::clone(&signer));
    Ok(signer)
}

/// The two integers of an RSAPublicKey (RFC 8017, A.1.1), without sign bytes.
fn integers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(der, 0x30)?;
    let (n, rest) = element(sequence, 0x02)?;
    let (e, _) = element(rest, 0x02)?;
    Some((strip(n), strip(e)))
}

fn strip(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(&[0]).unwrap_or(bytes)
}

/// The content of a DER element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    if found != tag {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count > 4 || rest.len() < count {
            return None;
        }
        let (bytes, rest) = rest.split_at(count);
        let length = bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        (length, rest)
    };
    (rest.len() >= length).then(|| rest.split_at(length))
}

pub(super) fn sha256_url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, bytes))
}

pub(super) fn sha1_url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes))
}
