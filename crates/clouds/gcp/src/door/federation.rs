//! An assertion of ours that Google exchanges, through a workload identity pool
//! in the customer's project.

use super::{SCOPE, issued};
use crate::{
    config::IssuerKeys,
    http::{AccessToken, Google},
};
use landfall_model::{
    Clock,
    connection::{GcpAccess, GcpConnection, ProjectNumber},
    driver::{Failure, FailureKind},
    issuer::{Issuer, Token},
};
use std::sync::Arc;

#[derive(Clone)]
pub(crate) struct Federation {
    pub(crate) issuer: Arc<dyn Issuer>,
    pub(crate) keys: IssuerKeys,
}

/// The provider's full name: what the exchange is asked for, and, with
/// `https:`, what an assertion is for by default.
pub(crate) fn provider(connection: GcpConnection<'_>, number: &ProjectNumber) -> String {
    format!(
        "//iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{}/providers/{}",
        connection.pool_id(),
        connection.provider_id()
    )
}

/// The assertion that this connection's provider takes.
pub(crate) fn good(connection: GcpConnection<'_>, number: &ProjectNumber) -> Token {
    let audience = format!("https:{}", provider(connection, number));
    Token::good(connection.subject(), audience)
}

impl Federation {
    pub(super) async fn enter(
        &self,
        google: &Google,
        clock: &dyn Clock,
        connection: GcpConnection<'_>,
    ) -> Result<AccessToken, Failure> {
        let number = match connection.access() {
            GcpAccess::WorkloadIdentity {
                project_number: Some(number),
            } => number,
            GcpAccess::WorkloadIdentity {
                project_number: None,
            }
            | GcpAccess::Impersonation { .. }
            | GcpAccess::ServiceAccountKey { .. } => return Err(no_number()),
        };
        let token = good(connection, number);
        let provider = provider(connection, number);
        exchange(google, self.issuer.as_ref(), clock, &provider, &token)
            .await
            .map_err(|failure| of_token(failure, self.keys))
    }
}

/// What to do until somebody said the project's number.
pub(crate) const ENTER_NUMBER: &str = "enter the project number that the setup printed at its end (it is also on the project's \
     welcome page in the console)";

fn no_number() -> Failure {
    Failure::new(
        FailureKind::Denied,
        "NoProjectNumber",
        format!(
            "Google's token exchange knows a project by its number, and nobody has said it: \
             {ENTER_NUMBER}"
        ),
    )
}

/// Shows an assertion to Google's token exchange. The refusal is as Google says
/// it.
pub(crate) async fn exchange(
    google: &Google,
    issuer: &dyn Issuer,
    clock: &dyn Clock,
    provider: &str,
    token: &Token,
) -> Result<AccessToken, Failure> {
    let assertion = token.mint(issuer, clock).await?;
    let answer = google
        .exchange(
            "sts",
            "v1/token",
            &[
                (
                    "grant_type",
                    "urn:ietf:params:oauth:grant-type:token-exchange",
                ),
                ("audience", provider),
                (
                    "requested_token_type",
                    "urn:ietf:params:oauth:token-type:access_token",
                ),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
                ("scope", SCOPE),
                ("subject_token", assertion.token()),
            ],
        )
        .await?;
    issued(&answer, "access_token", "sts:v1/token")
}

/// Tells what the project refuses (no provider, another subject) from what is
/// wrong here (keys that Google cannot fetch, a clock that is off): a server
/// whose issuer is down must not take every grant for revoked.
fn of_token(mut failure: Failure, keys: IssuerKeys) -> Failure {
    if failure.code == "invalid_grant" {
        let said = failure.message.to_ascii_lowercase();
        let unreachable = said.contains("connecting to") || said.contains("fetch");
        let unknown_key = said.contains("signature") || said.contains("jwk");
        let late =
            said.contains("stale") || said.contains("expired") || said.contains("not valid yet");
        // Keys that were uploaded are part of what the customer granted.
        if unreachable || late || (unknown_key && keys == IssuerKeys::Fetched) {
            failure.kind = FailureKind::Unavailable;
        }
    }
    failure
}
