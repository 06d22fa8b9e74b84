//! Landfall as an OIDC issuer: the port through which a connector gets the
//! assertion that it exchanges for a cloud's credentials.

use crate::{
    Clock, Timestamp,
    driver::{Failure, FailureKind},
    id::{ConnectionId, OrganizationId},
    store::StoreError,
    vault::VaultError,
};
use async_trait::async_trait;
use serde_json::Value;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long an assertion lives, and the longest that one may: it is exchanged
/// within seconds, and what is stolen is worthless in minutes.
pub const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Google Cloud maps the subject to `google.subject`, which is at most 127
/// bytes; the other clouds allow more.
pub const SUBJECT_LIMIT: usize = 127;

/// The check that compares the keys in a provider of Google Cloud with those of
/// the issuer: both that sign and that will sign.
pub const UPLOADED_KEYS_CHECK: &str = "gcp.provider-keys";

/// Where the discovery document is, below the issuer's URL (OpenID Connect
/// Discovery 1.0, section 4).
pub const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Where the key set is, below the issuer's URL.
pub const JWKS_PATH: &str = "/.well-known/jwks.json";

/// The `sub` of a connection's assertions: `landfall:<organization>:<connection>`,
/// made of ids that never change and are never used again, so that a renamed
/// or deleted connection's trust cannot pass to another one.
pub fn subject(organization: &OrganizationId, connection: &ConnectionId) -> String {
    format!("landfall:{organization}:{connection}")
}

/// What an assertion says. `iss`, `jti` and the key are the issuer's to choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub subject: String,
    pub audience: String,
    /// In the past on purpose when a check wants to see an expired assertion
    /// refused. The assertion may not outlive [`LIFETIME`] from now.
    pub issued_at: Timestamp,
    pub lifetime: Duration,
}

/// A signed JWT. It is a credential while it lives: masked in `Debug`, and
/// overwritten when dropped.
#[derive(Clone)]
pub struct Assertion {
    token: Zeroizing<String>,
    key_id: String,
    expires_at: Timestamp,
}

impl Assertion {
    pub fn new(token: String, key_id: String, expires_at: Timestamp) -> Self {
        Self {
            token: Zeroizing::new(token),
            key_id,
            expires_at,
        }
    }

    /// The compact JWT, as the clouds take it.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The `kid` of the key that signed it.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The same claims with a signature of the right length that is not theirs:
    /// for the check that a cloud verifies signatures at all.
    pub fn badly_signed(&self) -> Self {
        let mut token = self.token.as_str().to_owned();
        let signature = token.rfind('.').map_or(0, |dot| dot + 1);
        // Not the last characters, some bits of which are padding.
        let first = token.get(signature..=signature).unwrap_or_default();
        let other = if first == "A" { "B" } else { "A" };
        if !first.is_empty() {
            token.replace_range(signature..=signature, other);
        }
        Self::new(token, self.key_id.clone(), self.expires_at)
    }
}

impl std::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assertion")
            .field("key_id", &self.key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// What is wrong with an assertion, on purpose: for checks that want to see it
/// refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    Expired,
    BadlySigned,
}

/// An assertion to be made for one call.
#[derive(Clone, Debug)]
pub struct Token {
    pub subject: String,
    pub audience: String,
    pub flaw: Flaw,
}

impl Token {
    pub fn good(subject: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            audience: audience.into(),
            flaw: Flaw::None,
        }
    }

    /// The failure says nothing about what the customer granted: the trouble is
    /// this server's.
    pub async fn mint(&self, issuer: &dyn Issuer, clock: &dyn Clock) -> Result<Assertion, Failure> {
        let minted = match self.flaw {
            Flaw::None => issuer.assertion(&self.subject, &self.audience).await,
            Flaw::BadlySigned => {
                let good = issuer.assertion(&self.subject, &self.audience).await;
                good.map(|assertion| assertion.badly_signed())
            }
            Flaw::Expired => {
                let lifetime = i64::try_from(LIFETIME.as_millis()).unwrap_or(i64::MAX);
                let claims = Claims {
                    subject: self.subject.clone(),
                    audience: self.audience.clone(),
                    // Clocks may differ by five minutes before a cloud minds.
                    issued_at: clock.now().plus_millis(-4 * lifetime),
                    lifetime: LIFETIME,
                };
                issuer.custom(&claims).await
            }
        };
        minted.map_err(|error| error.into_failure())
    }
}

#[async_trait]
pub trait Issuer: Send + Sync + 'static {
    /// The `iss` of every assertion: an https URL without a trailing slash,
    /// query or fragment, from which the clouds find the keys. `None` when this
    /// server has no address that they could reach: then the methods that need
    /// one are unavailable.
    fn url(&self) -> Option<&str>;

    /// An assertion that lives for [`LIFETIME`] from now. Cheap enough for one
    /// per exchange; do not keep it.
    async fn assertion(&self, subject: &str, audience: &str) -> Result<Assertion, IssuerError>;

    /// An assertion with chosen claims, signed with the same key: for checks.
    async fn custom(&self, claims: &Claims) -> Result<Assertion, IssuerError>;

    /// The public keys as they are to be served now: those that sign, that will
    /// sign, and that signed what has not expired. Also what is uploaded to a
    /// cloud that shall not fetch them.
    async fn jwks(&self) -> Result<Value, IssuerError>;

    /// The `kid` that signs now: what a check compares with the keys that a
    /// cloud sees.
    async fn key_id(&self) -> Result<String, IssuerError>;

    /// The discovery document; `None` without a [`Issuer::url`].
    fn discovery(&self) -> Option<Value>;
}

#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// No [`Issuer::url`].
    #[error("this server has no public https address to issue assertions from")]
    NoUrl,
    /// A key that cannot sign yet was made, and the one before cannot any more.
    #[error("no signing key is active")]
    NoActiveKey,
    #[error("'{subject}' cannot be the subject of an assertion: 1 to {SUBJECT_LIMIT} bytes")]
    Subject { subject: String },
    /// It would outlive the time for which its key is served.
    #[error("an assertion may live for {} seconds from now and no longer", LIFETIME.as_secs())]
    Lifetime,
    #[error("cannot read the signing keys")]
    Store(#[source] StoreError),
    #[error("cannot open the signing key")]
    Vault(#[source] VaultError),
    /// A key that is stored is no key.
    #[error("cannot {operation}")]
    Key {
        /// `sign an assertion`, `make a signing key`, …
        operation: &'static str,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl IssuerError {
    /// As a cloud's connector reports it.
    pub fn into_failure(self) -> Failure {
        Failure::new(
            FailureKind::Unavailable,
            "NoAssertion",
            format!("this server could not sign an assertion: {self}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entropy;

    struct Ones;
    impl Entropy for Ones {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    struct Epoch;
    #[async_trait]
    impl crate::Clock for Epoch {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }
        async fn sleep(&self, _: Duration) {}
    }

    #[test]
    fn the_longest_subject_fits_every_cloud() {
        let organization = OrganizationId::generate(&Epoch, &Ones);
        let connection = ConnectionId::at(Epoch.now(), &Ones);
        let subject = subject(&organization, &connection);
        assert_eq!(subject, format!("landfall:{organization}:{connection}"));
        assert!(subject.len() <= SUBJECT_LIMIT);
    }

    #[test]
    fn a_badly_signed_one_differs_in_its_signature_alone() {
        for token in ["aa.bb.Acc", "aa.bb.ccc"] {
            let good = Assertion::new(token.into(), "k".into(), Timestamp::from_millis(1));
            let bad = good.badly_signed();
            assert_ne!(bad.token(), good.token());
            assert_eq!(bad.token().len(), good.token().len());
            assert!(bad.token().starts_with("aa.bb."));
        }
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let assertion = Assertion::new("canary".into(), "k".into(), Timestamp::from_millis(1));
        assert!(!format!("{assertion:?}").contains("canary"));
    }
}
