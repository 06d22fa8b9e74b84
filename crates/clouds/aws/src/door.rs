//! The two ways into a role: a signed call with an external id, or a token.

use crate::{
    connect::server::ServerIdentity,
    error::{Effect, from_sdk},
    session::{Assume, Issued, issued},
};
use landfall_model::{
    Clock,
    driver::{Failure, FailureKind},
    issuer::{Assertion, Issuer, Token},
};
use std::sync::Arc;

/// What is shown to the role besides its name.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// `None` only in a probe that wants to be refused.
    ExternalId(Option<String>),
    Token(Token),
}

/// How this server gets in.
#[derive(Clone)]
pub(crate) enum Door {
    /// By its own principal.
    Principal(Arc<ServerIdentity>),
    /// By its own assertions. STS is asked without a signature.
    Issuer {
        sts: aws_sdk_sts::Client,
        issuer: Arc<dyn Issuer>,
        clock: Arc<dyn Clock>,
    },
}

impl Door {
    pub(crate) async fn issue(&self, assume: &Assume) -> Result<Issued, Failure> {
        match (self, &assume.proof) {
            (Self::Principal(server), Proof::ExternalId(id)) => {
                signed(server.sts(), assume, id.clone()).await
            }
            (Self::Issuer { sts, issuer, clock }, Proof::Token(token)) => {
                let assertion = token.mint(issuer.as_ref(), clock.as_ref()).await?;
                borne(sts, assume, &assertion).await
            }
            // A connector makes its proofs for its own door.
            _ => Err(Failure::new(
                FailureKind::Invalid,
                "WrongMethod",
                format!("{} is assumed by another method", assume.role_arn),
            )),
        }
    }
}

async fn signed(
    sts: &aws_sdk_sts::Client,
    assume: &Assume,
    external_id: Option<String>,
) -> Result<Issued, Failure> {
    const OPERATION: &str = "sts:AssumeRole";
    let output = sts
        .assume_role()
        .role_arn(&assume.role_arn)
        .set_external_id(external_id)
        .role_session_name(&assume.session_name)
        .duration_seconds(assume.duration)
        .set_policy(assume.policy.clone())
        .send()
        .await
        .map_err(|error| ours(from_sdk(error, OPERATION, Effect::Read)))?;
    issued(output.credentials, OPERATION, "landfall-assume-role")
}

async fn borne(
    sts: &aws_sdk_sts::Client,
    assume: &Assume,
    assertion: &Assertion,
) -> Result<Issued, Failure> {
    const OPERATION: &str = "sts:AssumeRoleWithWebIdentity";
    let output = sts
        .assume_role_with_web_identity()
        .role_arn(&assume.role_arn)
        .role_session_name(&assume.session_name)
        .web_identity_token(assertion.token())
        .duration_seconds(assume.duration)
        .set_policy(assume.policy.clone())
        .send()
        .await
        .map_err(|error| of_token(from_sdk(error, OPERATION, Effect::Read)))?;
    issued(output.credentials, OPERATION, "landfall-oidc")
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

/// Tells what the account refuses (no provider for our issuer, another audience)
/// from what is wrong here (keys that AWS cannot fetch, a clock that is off): a
/// server whose issuer is down must not take every grant for revoked.
fn of_token(mut failure: Failure) -> Failure {
    let keys_unknown = failure.message.contains("verification key");
    failure.kind = match failure.code.as_str() {
        "IDPCommunicationError" | "IDPCommunicationErrorException" => FailureKind::Unavailable,
        "InvalidIdentityToken" | "InvalidIdentityTokenException" if keys_unknown => {
            FailureKind::Unavailable
        }
        "InvalidIdentityToken" | "InvalidIdentityTokenException" => FailureKind::Denied,
        "ExpiredTokenException" | "ExpiredToken" => FailureKind::Unavailable,
        _ => failure.kind,
    };
    failure
}

/// Whether a token was refused for what it is, as a check wants it.
pub(crate) fn refuses_token(failure: &Failure) -> bool {
    failure.kind == FailureKind::Denied
        || matches!(
            failure.code.as_str(),
            "ExpiredTokenException" | "ExpiredToken"
        )
}
