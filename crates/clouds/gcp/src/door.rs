//! The ways in: whoever gets a token through one of them may act as the
//! service accounts of the grant.

pub(crate) mod federation;
pub(crate) mod key;
pub(crate) mod operator;

use crate::http::{AccessToken, Effect, Google, Session};
use federation::Federation;
use key::GivenKey;
use landfall_model::{
    Clock,
    connection::{GcpConnection, Method},
    driver::{Failure, FailureKind},
};
use operator::Operator;
use serde_json::{Value, json};

pub(crate) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Seconds that a token lives with which only a few questions are asked.
pub(crate) const SHORT: u32 = 900;

pub(crate) enum Door {
    /// By assertions of this server, through a workload identity pool.
    Federation(Federation),
    /// As an account of the customer's, by its key.
    Key(GivenKey),
    /// As an account of the operator's that was made for the connection.
    Account(Operator),
}

impl Door {
    pub(crate) const fn method(&self) -> Method {
        match self {
            Self::Federation(_) => Method::GcpWorkloadIdentity,
            Self::Key(_) => Method::ServiceAccountKey,
            Self::Account(_) => Method::Impersonation,
        }
    }

    /// A token with which the accounts of the grant can be acted as.
    pub(crate) async fn enter(
        &self,
        google: &Google,
        clock: &dyn Clock,
        connection: GcpConnection<'_>,
    ) -> Result<AccessToken, Failure> {
        if connection.method() != self.method() {
            return Err(Failure::new(
                FailureKind::Invalid,
                "WrongMethod",
                format!("the connection {} is by another method", connection.id),
            ));
        }
        match self {
            Self::Federation(federation) => federation.enter(google, clock, connection).await,
            Self::Key(key) => key.enter(google, clock, connection).await,
            Self::Account(operator) => operator.enter(google, clock, connection).await,
        }
    }
}

/// Lets whoever has `entry` act as the service account `email`, for
/// `lifetime` seconds.
pub(crate) async fn act_as(
    entry: &Session,
    email: &str,
    lifetime: u32,
) -> Result<AccessToken, Failure> {
    let path = format!("v1/projects/-/serviceAccounts/{email}:generateAccessToken");
    let body = json!({ "scope": [SCOPE], "lifetime": format!("{lifetime}s") });
    let answer = entry.ask("iamcredentials", &path, &body).await?;
    issued(&answer, "accessToken", "iamcredentials:generateAccessToken")
}

fn issued(answer: &Value, field: &str, operation: &str) -> Result<AccessToken, Failure> {
    answer[field]
        .as_str()
        .filter(|token| !token.is_empty())
        .map(|token| AccessToken::new(token.to_owned()))
        .ok_or_else(|| crate::error::malformed(operation, "no token", Effect::Read))
}

/// Whether an assertion was refused for what it is, as a check wants it, and
/// not because Google could not look.
pub(crate) fn refuses_token(failure: &Failure) -> bool {
    failure.kind == FailureKind::Denied
        && matches!(
            failure.code.as_str(),
            "invalid_grant" | "unauthorized_client"
        )
        && !failure
            .message
            .to_ascii_lowercase()
            .contains("connecting to")
}
