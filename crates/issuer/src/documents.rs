//! What the clouds fetch.

use crate::url::IssuerUrl;
use landfall_model::{issuer::JWKS_PATH, signing_key::SigningKey};
use serde_json::{Value, json};

/// OpenID Connect Discovery 1.0, section 3. Nobody signs in here: the fields
/// that it demands of every provider are as small as they can be.
pub(crate) fn discovery(url: &IssuerUrl) -> Value {
    let url = url.as_str();
    json!({
        "issuer": url,
        "jwks_uri": format!("{url}{JWKS_PATH}"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["iss", "sub", "aud", "iat", "nbf", "exp", "jti"],
        "scopes_supported": ["openid"],
    })
}

/// RFC 7517, section 5.
pub(crate) fn jwks(keys: &[SigningKey]) -> Value {
    let served = keys.iter().filter(|key| key.state.is_served());
    let keys: Vec<&Value> = served.map(|key| &key.public_jwk).collect();
    json!({ "keys": keys })
}
