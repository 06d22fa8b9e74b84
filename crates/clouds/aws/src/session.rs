//! Sessions of a role that the customer granted: obtained, renewed, dropped.

use crate::error::{Effect, from_sdk};
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
    /// `None` only in a probe that wants to be refused.
    pub(crate) external_id: Option<String>,
    /// Customers read it in their CloudTrail; 2 to 64 of `[\w+=,.@-]`.
    pub(crate) session_name: String,
    /// Seconds, 900 to 43,200.
    pub(crate) duration: i32,
    /// The session policy that narrows the session.
    pub(crate) policy: Option<String>,
}

impl Assume {
    pub(crate) async fn issue(&self, sts: &aws_sdk_sts::Client) -> Result<Issued, Failure> {
        let output = sts
            .assume_role()
            .role_arn(&self.role_arn)
            .set_external_id(self.external_id.clone())
            .role_session_name(&self.session_name)
            .duration_seconds(self.duration)
            .set_policy(self.policy.clone())
            .send()
            .await
            .map_err(|error| ours(from_sdk(error, "sts:AssumeRole", Effect::Read)))?;
        let issued = output.credentials.ok_or_else(|| {
            Failure::new(
                FailureKind::Unavailable,
                "MalformedAnswer",
                "STS accepted sts:AssumeRole but answered without credentials",
            )
        })?;
        let expires = issued.expiration.to_millis().unwrap_or(i64::MAX);
        Ok(Issued {
            credentials: Credentials::new(
                issued.access_key_id,
                issued.secret_access_key,
                Some(issued.session_token),
                SystemTime::try_from(issued.expiration).ok(),
                "landfall-assume-role",
            ),
            expires: Timestamp::from_millis(expires),
        })
    }
}

/// A request to assume a role is signed by this server: when its signature is
/// refused, the trouble is here, and the customer's grant must not be taken for
/// revoked.
fn ours(mut failure: Failure) -> Failure {
    if failure.kind == FailureKind::Unauthorized {
        failure.kind = FailureKind::Unavailable;
        failure.message = format!(
            "AWS does not accept this server's own identity ({}): {}",
            failure.code, failure.message
        );
        failure.code = "ServerIdentityRefused".to_owned();
    }
    failure
}

/// A role's credentials over time. One per connection and identity, shared by
/// the drivers of all regions, so that a renewal is one call.
pub(crate) struct RoleSession {
    sts: aws_sdk_sts::Client,
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
    pub(crate) fn new(sts: aws_sdk_sts::Client, assume: Assume, clock: Arc<dyn Clock>) -> Self {
        Self {
            sts,
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
        match self.assume.issue(&self.sts).await {
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
                Err(refused(failure, &self.assume.role_arn))
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
pub(crate) fn refused(mut failure: Failure, role_arn: &str) -> Failure {
    if failure.kind == FailureKind::Denied {
        failure.kind = FailureKind::Unauthorized;
        failure.action = Some("sts:AssumeRole".to_owned());
        failure.resource.get_or_insert_with(|| role_arn.to_owned());
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
