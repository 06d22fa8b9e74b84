//! JSON web tokens and key sets, verified for real: RS256 and nothing else.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

/// A token taken apart. Nothing in it counts until its signature has been
/// verified.
#[derive(Debug)]
pub(super) struct Unverified {
    pub kid: Option<String>,
    pub claims: Value,
    signed: String,
    signature: Vec<u8>,
}

/// A published key set.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Jwks {
    pub keys: Vec<Jwk>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Jwk {
    pub kty: String,
    pub kid: Option<String>,
    pub alg: Option<String>,
    #[serde(rename = "use")]
    pub usage: Option<String>,
    pub n: Option<String>,
    pub e: Option<String>,
    /// Only present when somebody publishes a private key.
    pub d: Option<String>,
}

impl Unverified {
    pub fn parse(token: &str) -> Result<Self, String> {
        let mut parts = token.split('.');
        let (Some(head), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("the token is not a JWT of three parts".to_owned());
        };
        let decode = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part.trim_end_matches('='))
                .map_err(|_| "the token is not base64url".to_owned())
        };
        let header: Value = serde_json::from_slice(&decode(head)?)
            .map_err(|_| "the token's header is not JSON".to_owned())?;
        // An attacker chooses the header: only one algorithm is ever accepted.
        if header["alg"] != "RS256" {
            return Err("the token's algorithm is not RS256".to_owned());
        }
        let claims: Value = serde_json::from_slice(&decode(claims)?)
            .map_err(|_| "the token's claims are not JSON".to_owned())?;
        Ok(Self {
            kid: header["kid"].as_str().map(str::to_owned),
            claims,
            signed: token[..token.rfind('.').unwrap_or(0)].to_owned(),
            signature: decode(signature)?,
        })
    }

    pub fn claim(&self, name: &str) -> &str {
        self.claims[name].as_str().unwrap_or_default()
    }

    pub fn seconds(&self, name: &str) -> Option<i64> {
        self.claims[name]
            .as_i64()
            .or_else(|| self.claims[name].as_f64().map(|seconds| seconds as i64))
    }

    /// Against an `RSAPublicKey`, base 64.
    pub fn verified_by_key(&self, public: &str) -> bool {
        STANDARD.decode(public).is_ok_and(|der| {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der)
                .verify(self.signed.as_bytes(), &self.signature)
                .is_ok()
        })
    }

    /// Against the key of a set that the token names.
    pub fn verified_by(&self, jwks: &Jwks) -> bool {
        jwks.keys
            .iter()
            .filter(|key| self.kid.is_none() || key.kid == self.kid)
            .any(|key| self.verified_by_jwk(key))
    }

    fn verified_by_jwk(&self, key: &Jwk) -> bool {
        let (Some(n), Some(e)) = (&key.n, &key.e) else {
            return false;
        };
        let (Ok(n), Ok(e)) = (URL_SAFE_NO_PAD.decode(n), URL_SAFE_NO_PAD.decode(e)) else {
            return false;
        };
        key.kty == "RSA"
            && key.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && key.usage.as_deref().is_none_or(|usage| usage == "sig")
            && PublicKeyComponents { n, e }
                .verify(
                    &RSA_PKCS1_2048_8192_SHA256,
                    self.signed.as_bytes(),
                    &self.signature,
                )
                .is_ok()
    }
}

impl Jwks {
    /// A key set as it may be uploaded or served: RSA keys with ids, and no
    /// private halves.
    pub fn parse(text: &str) -> Result<Self, String> {
        let jwks: Self = serde_json::from_str(text)
            .map_err(|error| format!("not a JSON Web Key Set: {error}"))?;
        if jwks.keys.is_empty() {
            return Err("the JSON Web Key Set has no keys".to_owned());
        }
        if jwks.keys.iter().any(|key| key.d.is_some()) {
            return Err("the JSON Web Key Set contains a private key".to_owned());
        }
        Ok(jwks)
    }
}
