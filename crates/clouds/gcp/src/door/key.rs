//! The key of a service account: an assertion that it signs, for a token of the
//! account itself (RFC 7523; Google docs: "Using OAuth 2.0 for server to server
//! applications").

use super::{SCOPE, issued};
use crate::http::{AccessToken, Google};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use landfall_model::{
    Clock, Timestamp,
    connection::{GcpAccess, GcpConnection},
    driver::{Failure, FailureKind},
    issuer::Flaw,
    secret::{Secrets, SecretsError},
    vault::Plain,
};
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The same behind a private endpoint: it names the service, not the address.
pub(crate) const AUDIENCE: &str = "https://oauth2.googleapis.com/token";

/// Seconds that an assertion lives, which is used at once.
const LIFETIME: i64 = 300;

/// The keys that customers gave us.
pub(crate) struct GivenKey {
    pub(crate) secrets: Arc<dyn Secrets>,
}

/// A key, and whose it is.
pub(crate) struct Signer {
    pub(crate) service_account: String,
    pub(crate) key_id: String,
    pub(crate) private_key: Plain,
}

impl GivenKey {
    /// The key of a connection. Its failures are this server's trouble: they
    /// say nothing about what the customer granted.
    pub(crate) async fn signer(&self, connection: GcpConnection<'_>) -> Result<Signer, Failure> {
        let GcpAccess::ServiceAccountKey {
            service_account,
            key_id,
            secret_id,
        } = connection.access()
        else {
            return Err(ours("WrongMethod", "the connection has no key"));
        };
        let opened = self
            .secrets
            .open(&connection.organization_id, secret_id)
            .await;
        let private_key = opened.map_err(|error| match error {
            SecretsError::Missing { .. } => ours("NoSecret", "this server has no such key stored"),
            SecretsError::Vault(_) | SecretsError::Store(_) => ours(
                "NoSecret",
                &format!("this server could not read it: {error}"),
            ),
        })?;
        let signer = Signer {
            service_account: service_account.clone(),
            key_id: key_id.clone(),
            private_key,
        };
        signer.pair()?;
        Ok(signer)
    }

    pub(super) async fn enter(
        &self,
        google: &Google,
        clock: &dyn Clock,
        connection: GcpConnection<'_>,
    ) -> Result<AccessToken, Failure> {
        let signer = self.signer(connection).await?;
        signer.token(google, clock.now()).await
    }
}

/// What is trusted with a signature, and what is wrong with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) audience: &'a str,
    pub(crate) flaw: Flaw,
}

impl Signer {
    /// A token of the account.
    pub(crate) async fn token(
        &self,
        google: &Google,
        now: Timestamp,
    ) -> Result<AccessToken, Failure> {
        let good = Shown {
            audience: AUDIENCE,
            flaw: Flaw::None,
        };
        self.exchange(google, now, good).await.map_err(of_key)
    }

    /// Shows an assertion to Google's token endpoint. The refusal is as Google
    /// says it.
    pub(crate) async fn exchange(
        &self,
        google: &Google,
        now: Timestamp,
        shown: Shown<'_>,
    ) -> Result<AccessToken, Failure> {
        let assertion = self.assertion(now, shown)?;
        let answer = google
            .exchange(
                "oauth2",
                "token",
                &[
                    ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                    ("assertion", assertion.as_str()),
                ],
            )
            .await?;
        issued(&answer, "access_token", "oauth2:token")
    }

    fn assertion(&self, now: Timestamp, shown: Shown<'_>) -> Result<Zeroizing<String>, Failure> {
        let issued_at = match shown.flaw {
            Flaw::Expired => now.as_millis() / 1000 - 2 * LIFETIME,
            Flaw::None | Flaw::BadlySigned => now.as_millis() / 1000,
        };
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let claims = json!({
            "iss": self.service_account,
            "scope": SCOPE,
            "aud": shown.audience,
            "iat": issued_at,
            "exp": issued_at + LIFETIME,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut token = Zeroizing::new(format!("{}.{}", part(&header), part(&claims)));
        let mut signature = self.sign(token.as_bytes())?;
        if shown.flaw == Flaw::BadlySigned {
            signature[0] ^= 1;
        }
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(&signature));
        Ok(token)
    }

    fn pair(&self) -> Result<RsaKeyPair, Failure> {
        // What the library says of a broken key is kept out of what people
        // read.
        RsaKeyPair::from_pkcs8(self.private_key.expose()).map_err(|_| broken())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let pair = self.pair()?;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message,
            &mut signature,
        )
        .map_err(|_| broken())?;
        Ok(signature)
    }
}

fn broken() -> Failure {
    ours("NoSecret", "what this server has stored is no RSA key")
}

fn ours(code: &str, message: &str) -> Failure {
    Failure::new(FailureKind::Unavailable, code, message)
}

/// The key was deleted, was disabled or has expired: Google does not say which.
pub(crate) const KEY_REFUSED: &str = "KeyRefused";
pub(crate) const ACCOUNT_GONE: &str = "AccountNotFound";
pub(crate) const ACCOUNT_DISABLED: &str = "AccountDisabled";

/// Tells what the customer took back from what is wrong here: a server whose
/// clock is off must not take every grant for revoked.
fn of_key(mut failure: Failure) -> Failure {
    if failure.code != "invalid_grant" {
        return failure;
    }
    let said = failure.message.to_ascii_lowercase();
    if said.contains("timeframe") || said.contains("short-lived") {
        failure.kind = FailureKind::Unavailable;
        failure.message = format!("{} (this server's clock is off)", failure.message);
        return failure;
    }
    let code = if said.contains("signature") {
        KEY_REFUSED
    } else if said.contains("disabled") {
        ACCOUNT_DISABLED
    } else if said.contains("not found") || said.contains("deleted") {
        ACCOUNT_GONE
    } else {
        return failure;
    };
    code.clone_into(&mut failure.code);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Failure {
        of_key(Failure::new(FailureKind::Denied, "invalid_grant", text))
    }

    #[test]
    fn what_became_of_the_key_is_told_apart_as_far_as_google_does() {
        assert_eq!(said("Invalid JWT Signature.").code, KEY_REFUSED);
        assert_eq!(said("Invalid grant: account not found").code, ACCOUNT_GONE);
        assert_eq!(said("Account disabled").code, ACCOUNT_DISABLED);
        let late = said("Invalid JWT: Token must be a short-lived token (60 minutes)");
        assert_eq!(late.kind, FailureKind::Unavailable);
        assert_eq!(said("something else").code, "invalid_grant");
    }
}
