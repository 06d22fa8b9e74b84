//! A web identity token: read first, believed only after its issuer's key.

use crate::clock::{Instant, SimClock};
use crate::jwt::{self, KeySet};
use crate::wire::AwsError;
use std::time::Duration;

/// How far an issuer's clock may run ahead.
const SKEW: Duration = Duration::from_secs(300);

/// What a token claims, before its signature is checked.
pub(super) struct Unverified {
    token: jwt::Unverified,
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) audiences: Vec<String>,
    /// The party that the token was issued to; stands for the audience when
    /// there is one (AWS docs: "Available keys for AWS web identity federation").
    authorized_party: Option<String>,
    issued: i64,
    not_before: Option<i64>,
    expires: i64,
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
        let token = jwt::Unverified::read(token).map_err(|_| {
            invalid(
                "The ID Token provided is not a valid JWT. (You may see this error if you sent \
                 an Access Token)",
            )
        })?;
        let missing = |name: &str| invalid(format!("Missing a required claim: {name}"));
        let text = |name: &str| token.claims[name].as_str().map(str::to_owned);
        let required = |name: &str| text(name).ok_or_else(|| missing(name));
        let time = |name: &str| token.seconds(name).ok_or_else(|| missing(name));
        let audiences: Vec<String> = token.audiences().into_iter().map(str::to_owned).collect();
        if audiences.is_empty() {
            return Err(missing("aud"));
        }
        Ok(Self {
            issuer: required("iss")?,
            subject: required("sub")?,
            audiences,
            authorized_party: text("azp"),
            issued: time("iat")?,
            not_before: token.seconds("nbf"),
            expires: time("exp")?,
            token,
        })
    }

    /// What client ids and the condition key `:aud` are compared with.
    pub(super) fn audience(&self) -> Vec<String> {
        self.authorized_party
            .as_ref()
            .map_or_else(|| self.audiences.clone(), |party| vec![party.clone()])
    }

    /// Checks the signature against the issuer's key set.
    pub(super) fn verify(&self, set: &KeySet) -> Result<(), AwsError> {
        let algorithm = self.token.algorithm();
        if algorithm != jwt::ALGORITHM {
            return Err(invalid(format!(
                "Token signing algorithm {algorithm} is not supported"
            )));
        }
        let key = match (self.token.key_id(), set.keys()) {
            (Some(id), _) => set.named(id).next(),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        if self.token.signed_by(key.ok_or_else(no_key)?) {
            Ok(())
        } else {
            Err(invalid("Token signature is not valid"))
        }
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
