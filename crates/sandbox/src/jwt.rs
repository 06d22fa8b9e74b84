//! JSON Web Tokens and key sets, verified for real: RS256, and PS256 where a
//! certificate signs. What a claim must say is each cloud's own rule.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The one algorithm that keys of key sets are used with.
pub(crate) const ALGORITHM: &str = "RS256";

/// A token taken apart. Nothing in it counts until its signature has been
/// verified.
#[derive(Debug, Clone)]
pub(crate) struct Unverified {
    pub header: Value,
    pub claims: Value,
    signed: String,
    signature: Vec<u8>,
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the token is not a JWT of three parts")]
    Parts,
    #[error("the token is not base64url")]
    Encoding,
    #[error("the token's {0} is not a JSON object")]
    Json(&'static str),
}

/// A public RSA key that verifies RS256.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub id: Option<String>,
    n: Vec<u8>,
    e: Vec<u8>,
}

/// The usable keys of a JSON Web Key Set.
#[derive(Debug, Clone)]
pub(crate) struct KeySet(Vec<Key>);

/// Some libraries pad what must not be padded.
fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

impl Unverified {
    pub fn read(token: &str) -> Result<Self, Malformed> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(Malformed::Parts);
        };
        let object = |part: &str, what| {
            let bytes = decoded(part).ok_or(Malformed::Encoding)?;
            serde_json::from_slice(&bytes)
                .ok()
                .filter(Value::is_object)
                .ok_or(Malformed::Json(what))
        };
        Ok(Self {
            header: object(header, "header")?,
            claims: object(claims, "payload")?,
            signed: format!("{header}.{claims}"),
            signature: decoded(signature).ok_or(Malformed::Encoding)?,
        })
    }

    pub fn algorithm(&self) -> &str {
        self.header["alg"].as_str().unwrap_or_default()
    }

    pub fn key_id(&self) -> Option<&str> {
        self.header["kid"].as_str()
    }

    /// A claim that is text; empty when it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.claims[name].as_str().unwrap_or_default()
    }

    /// A claim that is a time. Some libraries write fractions of seconds.
    pub fn seconds(&self, name: &str) -> Option<i64> {
        let claim = &self.claims[name];
        claim
            .as_i64()
            .or_else(|| claim.as_f64().map(|seconds| seconds as i64))
    }

    /// `aud`, which is one text or several.
    pub fn audiences(&self) -> Vec<&str> {
        match &self.claims["aud"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether this key signed it. The key decides the algorithm, not the
    /// header, which an attacker writes: `none` and HMAC never come here.
    pub fn signed_by(&self, key: &Key) -> bool {
        self.algorithm() == ALGORITHM
            && PublicKeyComponents {
                n: &key.n,
                e: &key.e,
            }
            .verify(
                &RSA_PKCS1_2048_8192_SHA256,
                self.signed.as_bytes(),
                &self.signature,
            )
            .is_ok()
    }

    /// Like [`Self::signed_by`], for an `RSAPublicKey` in DER.
    pub fn signed_by_der(&self, public: &[u8]) -> bool {
        self.algorithm() == ALGORITHM
            && UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
                .verify(self.signed.as_bytes(), &self.signature)
                .is_ok()
    }

    /// Whether the key of a certificate signed it; RS256 or PS256, both of
    /// which official clients use.
    pub fn signed_by_certificate(&self, der: &[u8]) -> bool {
        let algorithm = match self.algorithm() {
            ALGORITHM => webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
            "PS256" => webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            _ => return false,
        };
        let der = rustls::pki_types::CertificateDer::from(der);
        webpki::EndEntityCert::try_from(&der).is_ok_and(|certificate| {
            certificate
                .verify_signature(algorithm, self.signed.as_bytes(), &self.signature)
                .is_ok()
        })
    }
}

impl Key {
    /// Reads a JSON Web Key; nothing when it is of another kind or purpose.
    pub fn read(jwk: &Value) -> Option<Self> {
        let absent_or = |name: &str, wanted| jwk[name].is_null() || jwk[name] == wanted;
        if jwk["kty"] != "RSA" || !absent_or("use", "sig") || !absent_or("alg", ALGORITHM) {
            return None;
        }
        Some(Self {
            id: jwk["kid"].as_str().map(str::to_owned),
            n: decoded(jwk["n"].as_str()?)?,
            e: decoded(jwk["e"].as_str()?)?,
        })
    }
}

impl KeySet {
    /// Reads a set as an issuer publishes it. Keys that cannot be used are
    /// passed over: issuers add kinds that nobody has asked for.
    pub fn read(document: &Value) -> Result<Self, String> {
        let keys = document["keys"]
            .as_array()
            .filter(|keys| !keys.is_empty())
            .ok_or("the JSON Web Key Set has no keys")?;
        if keys.iter().any(|key| !key["d"].is_null()) {
            return Err("the JSON Web Key Set contains a private key".to_owned());
        }
        Ok(Self(keys.iter().filter_map(Key::read).collect()))
    }

    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// The keys of this id.
    pub fn named<'s>(&'s self, id: &'s str) -> impl Iterator<Item = &'s Key> {
        self.0
            .iter()
            .filter(move |key| key.id.as_deref() == Some(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_of_another_kind_or_purpose_verifies_nothing() {
        let good = json!({ "kty": "RSA", "kid": "k", "n": "AQAB", "e": "AQAB" });
        assert!(Key::read(&good).is_some());
        for (name, value) in [
            ("kty", json!("EC")),
            ("use", json!("enc")),
            ("alg", json!("HS256")),
            ("n", json!("*")),
            ("e", json!(null)),
        ] {
            let mut jwk = good.clone();
            jwk[name] = value;
            assert!(Key::read(&jwk).is_none(), "{name}");
        }
        let mut private = good.clone();
        private["d"] = json!("AQAB");
        assert!(KeySet::read(&json!({ "keys": [good, private] })).is_err());
        assert!(KeySet::read(&json!({ "keys": [] })).is_err());
        assert!(KeySet::read(&json!([])).is_err());
    }

    #[test]
    fn a_token_has_three_parts_of_which_two_are_objects() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let read = |token: String| Unverified::read(&token).err();
        assert_eq!(read(format!("{}.{}.", part("{}"), part("{}"))), None);
        assert_eq!(read("a.b".to_owned()), Some(Malformed::Parts));
        assert_eq!(read("a.b.c.d".to_owned()), Some(Malformed::Parts));
        assert_eq!(read("*.*.*".to_owned()), Some(Malformed::Encoding));
        assert_eq!(
            read(format!("{}.{}.", part("{}"), part("[]"))),
            Some(Malformed::Json("payload"))
        );
    }
}
