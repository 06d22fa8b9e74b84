//! A service account's own signature: exchanged at the token endpoint, or used
//! as the credential itself.

use super::{HOUR, Holder, invalid_grant, issue, read, timely};
use crate::gcp::access::Caller;
use crate::gcp::call::{Answer, Call};
use crate::gcp::error::Refusal;
use crate::gcp::state::{ServiceAccount, State};
use crate::jwt::Unverified;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What a token's `aud` may say (Google docs: "Using OAuth 2.0 for server to
/// server applications"), its older addresses included.
const AUDIENCES: [&str; 4] = [
    "https://oauth2.googleapis.com/token",
    "https://www.googleapis.com/oauth2/v4/token",
    "https://www.googleapis.com/oauth2/v3/token",
    "https://accounts.google.com/o/oauth2/token",
];

pub(super) fn token(call: &mut Call<'_, '_>) -> Answer {
    if call.text("/grant_type") != GRANT {
        return Err(Refusal::oauth(
            400,
            "unsupported_grant_type",
            format!("Invalid grant_type: {}", call.text("/grant_type")),
        ));
    }
    let unverified = read(call.text("/assertion"))
        .map_err(|error| invalid_grant(format!("Invalid JWT: {error}")))?;
    let account = verified(call.state(), &unverified).map_err(invalid_grant)?;
    // From here on, the claims are the account's own words.
    timely(
        unverified.seconds("iat"),
        unverified.seconds("exp"),
        call.at.wall,
    )
    .map_err(invalid_grant)?;
    if !AUDIENCES.contains(&unverified.text("aud")) {
        return Err(invalid_grant("Invalid JWT: Failed audience check."));
    }
    let subject = unverified.text("sub");
    if !subject.is_empty() && subject != account.email {
        return Err(Refusal::oauth(
            401,
            "unauthorized_client",
            "Client is unauthorized to retrieve access tokens using this method, or client not \
             authorized for any of the scopes requested.",
        ));
    }
    if unverified.text("scope").is_empty() {
        return Err(Refusal::oauth(
            400,
            "invalid_scope",
            "Invalid OAuth scope or ID token audience provided.",
        ));
    }
    let holder = Holder::account(account);
    let wall = call.at.wall;
    let token = issue(call.state_mut(), holder, wall, HOUR);
    Ok(json!({ "access_token": token, "expires_in": HOUR.as_secs() - 1, "token_type": "Bearer" }))
}

/// The account that signed a token with one of its keys.
fn verified<'s>(state: &'s State, unverified: &Unverified) -> Result<&'s ServiceAccount, String> {
    let (_, account) = state
        .account(unverified.text("iss"))
        .ok_or("Invalid grant: account not found")?;
    if account.disabled {
        return Err("Invalid grant: account disabled".to_owned());
    }
    let signed = account.keys.iter().any(|(id, key)| {
        !key.disabled
            && unverified.key_id().is_none_or(|kid| kid == id)
            && STANDARD
                .decode(&key.public)
                .is_ok_and(|public| unverified.signed_by_der(&public))
    });
    if signed {
        Ok(account)
    } else {
        Err("Invalid JWT Signature.".to_owned())
    }
}

/// A JWT that a service account signed for one API, used without an exchange
/// (Google docs: "Service account authorization without OAuth").
pub(in crate::gcp) fn self_signed(call: &Call<'_, '_>, token: &str) -> Option<Caller> {
    let unverified = read(token).ok()?;
    let account = verified(call.state(), &unverified).ok()?;
    timely(
        unverified.seconds("iat"),
        unverified.seconds("exp"),
        call.at.wall,
    )
    .ok()?;
    let audience = unverified.text("aud").trim_end_matches('/');
    let meant = audience == format!("https://{}.googleapis.com", call.service)
        || !unverified.text("scope").is_empty();
    (meant && unverified.text("sub") == account.email)
        .then(|| Caller::new(format!("serviceAccount:{}", account.email)))
}
