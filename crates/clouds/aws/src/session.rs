//! Sessions of a role that the customer granted: obtained, renewed, dropped.

use crate::door::{Door, Proof};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use landfall_model::{
    Clock, Timestamp,
    driver::{Failure, FailureKind},
};
use std::{sync::Arc, time::SystemTime};
use tokio::sync::Mutex;

/// A session as STS issued it.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) credentials: Credentials,
    pub(crate) expires: Timestamp,
}

/// What to assume, and how.
#[derive(Clone, Debug)]
pub(crate) struct Assume {
    pub(crate) role_arn: String,
    pub(crate) proof: Proof,
    /// Customers read it in their CloudTrail; 2 to 64 of `[\w+=,.@-]`.
    pub(crate) session_name: String,
    /// Seconds, 900 to 43,200.
    pub(crate) duration: i32,
    /// The session policy that narrows the session.
    pub(crate) policy: Option<String>,
}

impl Assume {
    pub(crate) fn action(&self) -> &'static str {
        match self.proof {
            Proof::ExternalId(_) => "sts:AssumeRole",
            Proof::Token(_) => "sts:AssumeRoleWithWebIdentity",
        }
    }
}

/// What an answer of STS holds.
pub(crate) fn issued(
    credentials: Option<aws_sdk_sts::types::Credentials>,
    operation: &str,
    provider: &'static str,
) -> Result<Issued, Failure> {
    let issued = credentials.ok_or_else(|| {
        Failure::new(
            FailureKind::Unavailable,
            "MalformedAnswer",
            format!("STS accepted {operation} but answered without credentials"),
        )
    })?;
    let expires = issued.expiration.to_millis().unwrap_or(i64::MAX);
    Ok(Issued {
        credentials: Credentials::new(
            issued.access_key_id,
            issued.secret_access_key,
            Some(issued.session_token),
            SystemTime::try_from(issued.expiration).ok(),
            provider,
        ),
        expires: Timestamp::from_millis(expires),
    })
}

/// A role's credentials over time. One per connection and identity, shared by
/// the drivers of all regions, so that a renewal is one call.
pub(crate) struct RoleSession {
    door: Door,
    assume: Assume,
    clock: Arc<dyn Clock>,
    current: Mutex<Option<Issued>>,
}

impl std::fmt::Debug for RoleSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleSession")
            .field("assume", &self.assume)
            .finish_non_exhaustive()
    }
}

impl RoleSession {
    pub(crate) fn new(door: Door, assume: Assume, clock: Arc<dyn Clock>) -> Self {
        Self {
            door,
            assume,
            clock,
            current: Mutex::new(None),
        }
    }

    /// Credentials that last for a while yet, renewed when they do not.
    pub(crate) async fn credentials(&self) -> Result<Credentials, Failure> {
        // Held over the call on purpose: forty nodes that find the session old
        // at the same instant renew it once.
        let mut current = self.current.lock().await;
        let now = self.clock.now();
        if let Some(issued) = current.as_ref()
            && now.plus_millis(self.margin_millis()) < issued.expires
        {
            return Ok(issued.credentials.clone());
        }
        match self.door.issue(&self.assume).await {
            Ok(issued) => {
                let credentials = issued.credentials.clone();
                *current = Some(issued);
                Ok(credentials)
            }
            // STS has a bad minute, and what we hold still works.
            Err(failure) if failure.kind.is_retryable() => match current.as_ref() {
                Some(issued) if now < issued.expires => Ok(issued.credentials.clone()),
                _ => Err(failure),
            },
            Err(failure) => {
                *current = None;
                Err(refused(failure, &self.assume))
            }
        }
    }

    /// Forgets `stale` and assumes the role again. Somebody else who came first
    /// has done it already.
    pub(crate) async fn renew(&self, stale: &Credentials) -> Result<Credentials, Failure> {
        {
            let mut current = self.current.lock().await;
            if current
                .as_ref()
                .is_some_and(|issued| issued.credentials.access_key_id() == stale.access_key_id())
            {
                *current = None;
            }
        }
        self.credentials().await
    }

    /// Whether nothing is held that could still be used.
    pub(crate) fn is_spent(&self, now: Timestamp) -> bool {
        self.current
            .try_lock()
            .is_ok_and(|current| current.as_ref().is_none_or(|held| held.expires <= now))
    }

    /// Renewed this long before the end: a call that starts now must not meet
    /// the expiry, and a short session must not be renewed at every call.
    fn margin_millis(&self) -> i64 {
        (i64::from(self.assume.duration) * 1000 / 5).min(5 * 60 * 1000)
    }
}

/// A refusal of the role itself says that the grant, not one permission, is
/// missing.
pub(crate) fn refused(mut failure: Failure, assume: &Assume) -> Failure {
    if failure.kind == FailureKind::Denied {
        failure.kind = FailureKind::Unauthorized;
        failure.action = Some(assume.action().to_owned());
        failure
            .resource
            .get_or_insert_with(|| assume.role_arn.clone());
    }
    failure
}

/// The session as the SDK wants it.
#[derive(Clone, Debug)]
pub(crate) struct SessionProvider(pub(crate) Arc<RoleSession>);

impl SessionProvider {
    pub(crate) fn shared(session: Arc<RoleSession>) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Self(session))
    }
}

impl ProvideCredentials for SessionProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            self.0
                .credentials()
                .await
                // The failure stays in the source chain, where `from_sdk`
                // finds it again.
                .map_err(CredentialsError::provider_error)
        })
    }
}
