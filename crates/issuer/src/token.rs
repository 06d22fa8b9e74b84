//! Making a JWT (RFC 7519) in its compact form (RFC 7515).

use crate::key::PrivateKey;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use landfall_model::{
    Entropy, Timestamp,
    issuer::{Assertion, Claims, IssuerError, LIFETIME, SUBJECT_LIMIT},
};
use serde_json::json;

/// Whole seconds: what a cloud reads, and what a cloud with a clock a little
/// behind ours takes.
const NOT_BEFORE_SECONDS: i64 = 60;

fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1000)
}

/// What an assertion may say, before anything is signed.
pub(crate) fn check(claims: &Claims, now: Timestamp) -> Result<(), IssuerError> {
    if claims.subject.is_empty() || claims.subject.len() > SUBJECT_LIMIT {
        return Err(IssuerError::Subject {
            subject: claims.subject.chars().take(SUBJECT_LIMIT).collect(),
        });
    }
    // A key is served for as long as the longest assertion that it can have
    // signed: one that lives longer would outlive its key.
    if claims.issued_at.plus(claims.lifetime) > now.plus(LIFETIME) {
        return Err(IssuerError::Lifetime);
    }
    Ok(())
}

pub(crate) fn sign(
    key: &PrivateKey,
    key_id: &str,
    issuer: &str,
    claims: &Claims,
    entropy: &dyn Entropy,
) -> Result<Assertion, IssuerError> {
    let issued = seconds(claims.issued_at);
    let expires_at = claims.issued_at.plus(claims.lifetime);
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key_id });
    let payload = json!({
        "iss": issuer,
        "sub": claims.subject,
        "aud": claims.audience,
        "iat": issued,
        "nbf": issued.saturating_sub(NOT_BEFORE_SECONDS),
        "exp": seconds(expires_at),
        "jti": uuid::Builder::from_random_bytes(entropy.array()).into_uuid().to_string(),
    });
    let mut token = format!(
        "{}.{}",
        BASE64.encode(header.to_string()),
        BASE64.encode(payload.to_string())
    );
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&BASE64.encode(signature));
    Ok(Assertion::new(token, key_id.to_owned(), expires_at))
}
