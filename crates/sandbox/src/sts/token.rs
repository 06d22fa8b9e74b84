//! A web identity token: read first, believed only after its issuer's key.

use crate::clock::{Instant, SimClock};
use crate::wire::AwsError;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::time::Duration;

/// How far an issuer's clock may run ahead.
const SKEW: Duration = Duration::from_secs(300);

/// What a token claims, before its signature is checked.
pub(super) struct Unverified {
    algorithm: String,
    key_id: Option<String>,
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) audiences: Vec<String>,
    /// The party that the token was issued to; stands for the audience when
    /// there is one (AWS docs: "Available keys for AWS web identity federation").
    authorized_party: Option<String>,
    issued: i64,
    not_before: Option<i64>,
    expires: i64,
    signed: String,
    signature: Vec<u8>,
}

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad("InvalidIdentityToken", message)
}

/// The words for a key that is missing or cannot be used.
pub(super) fn no_key() -> AwsError {
    invalid(
        "Couldn't retrieve verification key from your identity provider, please reference \
         AssumeRoleWithWebIdentity documentation for requirements",
    )
}

impl Unverified {
    pub(super) fn read(token: &str) -> Result<Self, AwsError> {
        let malformed = || {
            invalid(
                "The ID Token provided is not a valid JWT. (You may see this error if you sent \
                 an Access Token)",
            )
        };
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(malformed());
        };
        let json = |part: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed())?;
            serde_json::from_slice::<Value>(&bytes).map_err(|_| malformed())
        };
        let (head, claims) = (json(header)?, json(payload)?);
        let text = |name: &str| claims[name].as_str().map(str::to_owned);
        let required = |name: &str| {
            text(name).ok_or_else(|| invalid(format!("Missing a required claim: {name}")))
        };
        let number = |name: &str| claims[name].as_f64().map(|seconds| seconds as i64);
        let time = |name: &str| {
            number(name).ok_or_else(|| invalid(format!("Missing a required claim: {name}")))
        };
        let audiences: Vec<String> = match &claims["aud"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(many) => many
                .iter()
                .filter_map(|one| one.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        if audiences.is_empty() {
            return Err(invalid("Missing a required claim: aud"));
        }
        Ok(Self {
            algorithm: head["alg"].as_str().unwrap_or_default().to_owned(),
            key_id: head["kid"].as_str().map(str::to_owned),
            issuer: required("iss")?,
            subject: required("sub")?,
            audiences,
            authorized_party: text("azp"),
            issued: time("iat")?,
            not_before: number("nbf"),
            expires: time("exp")?,
            signed: format!("{header}.{payload}"),
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?,
        })
    }

    /// What client ids and the condition key `:aud` are compared with.
    pub(super) fn audience(&self) -> Vec<String> {
        self.authorized_party
            .as_ref()
            .map_or_else(|| self.audiences.clone(), |party| vec![party.clone()])
    }

    /// Checks the signature against the issuer's key set.
    pub(super) fn verify(&self, key_set: &Value) -> Result<(), AwsError> {
        if self.algorithm != "RS256" {
            return Err(invalid(format!(
                "Token signing algorithm {} is not supported",
                self.algorithm
            )));
        }
        let keys = key_set["keys"].as_array().ok_or_else(no_key)?;
        let key = keys
            .iter()
            .filter(|key| key["kty"] == "RSA" && key["use"].as_str().is_none_or(|u| u == "sig"))
            .find(|key| match &self.key_id {
                Some(id) => key["kid"].as_str() == Some(id),
                None => keys.len() == 1,
            })
            .ok_or_else(no_key)?;
        let part = |name: &str| {
            key[name]
                .as_str()
                .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
                .ok_or_else(no_key)
        };
        RsaPublicKeyComponents {
            n: part("n")?,
            e: part("e")?,
        }
        .verify(
            &RSA_PKCS1_2048_8192_SHA256,
            self.signed.as_bytes(),
            &self.signature,
        )
        .map_err(|_| invalid("Token signature is not valid"))
    }

    /// Checks the token's time, and returns the time by the clock that its
    /// issuer follows: the machine's, or the one that was moved.
    pub(super) fn check_time(&self, clock: &SimClock) -> Result<Instant, AwsError> {
        let mut refusal = None;
        for now in [clock.machine(), clock.wall()] {
            match self.check_at(now) {
                Ok(()) => return Ok(now),
                // The machine's clock speaks: it is what the issuer read.
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        Err(refusal.unwrap_or_else(|| invalid("Token is not valid")))
    }

    fn check_at(&self, now: Instant) -> Result<(), AwsError> {
        let seconds = now.unix_seconds();
        if self.expires <= seconds {
            return Err(AwsError::bad(
                "ExpiredTokenException",
                format!(
                    "Token expired: current date/time {seconds} must be before the expiration \
                     date/time {}",
                    self.expires
                ),
            ));
        }
        let latest = now.plus(SKEW).unix_seconds();
        if self.not_before.is_some_and(|from| from > latest) || self.issued > latest {
            return Err(invalid("Token is not yet valid"));
        }
        Ok(())
    }
}
