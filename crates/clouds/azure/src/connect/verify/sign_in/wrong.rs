//! Whoever shows another assertion than this connection's is refused.

use super::{asked::by_assertion, audience};
use crate::{
    connect::verify::{Found, Question, Run},
    door::Proof,
    error::{Service, refuses_assertion},
};
use landfall_model::{
    check::Check,
    connection::Guid,
    grant::Identity,
    issuer::{Flaw, Token},
};

/// What must not open an application.
#[derive(Clone, Copy)]
enum Wrong {
    Subject,
    Audience,
    Expired,
    Signature,
}

const WRONGS: [Wrong; 4] = [
    Wrong::Subject,
    Wrong::Audience,
    Wrong::Expired,
    Wrong::Signature,
];

impl Wrong {
    fn question(self, who: &str) -> Question {
        let (id, refuses, asked) = match self {
            Self::Subject => (
                "token-subject-enforced",
                "the token of another connection",
                "an assertion of another subject",
            ),
            Self::Audience => (
                "token-audience-enforced",
                "a token for somebody else",
                "an assertion for another audience",
            ),
            Self::Expired => (
                "token-expiry-enforced",
                "an expired token",
                "an assertion that has expired",
            ),
            Self::Signature => (
                "token-signature-enforced",
                "a forged token",
                "an assertion whose signature is not this server's",
            ),
        };
        Question::new(
            format!("azure.{id}.{who}"),
            format!("The {who} refuses {refuses}"),
            format!("Entra's token endpoint, with {asked}"),
        )
    }

    fn token(self, run: &Run<'_>) -> Token {
        let random = || hex::encode(run.recorder.entropy.array::<16>());
        let mut token = Token::good(run.azure.subject(), audience(run));
        match self {
            // As another connection of the same organization would have it.
            Self::Subject => {
                token.subject = format!("landfall:{}:con_{}", run.azure.organization_id, random());
            }
            Self::Audience => token.audience = format!("api://landfall-wrong-{}", random()),
            Self::Expired => token.flaw = Flaw::Expired,
            Self::Signature => token.flaw = Flaw::BadlySigned,
        }
        token
    }

    /// What a token means that should not have been issued, and what to do.
    fn let_in(self, run: &Run<'_>, application: &Guid) -> Found {
        match self {
            Self::Subject => Found::fail(
                "Entra issued a token: the application can be used by other connections of this \
                 server, also those of other organizations",
                format!(
                    "leave the application {application} one federated credential only, with the \
                     subject {}",
                    run.azure.subject()
                ),
            ),
            Self::Audience => Found::fail(
                "Entra issued a token: the application accepts assertions that were made for \
                 somebody else",
                format!(
                    "leave the application {application} one federated credential only, with the \
                     audience {}",
                    audience(run)
                ),
            ),
            Self::Expired | Self::Signature => Found::fail(
                "Entra issued a token for an assertion that is not valid: what answers is not \
                 Entra",
                "the operator checks clouds.azure.authority",
            ),
        }
    }
}

/// Asks with something wrong, four times, and wants refusals.
pub(super) async fn wrongs(run: &Run<'_>, identity: Identity, application: &Guid) -> Vec<Check> {
    if !by_assertion(run, identity) {
        return Vec::new();
    }
    futures::future::join_all(
        WRONGS
            .into_iter()
            .map(|wrong| refuses(run, identity, application, wrong)),
    )
    .await
}

async fn refuses(run: &Run<'_>, identity: Identity, application: &Guid, wrong: Wrong) -> Check {
    let proof = Proof::Token(wrong.token(run));
    let connector = run.connector;
    run.recorder
        .record(wrong.question(identity.as_str()), async {
            let enter = || async {
                let answer = connector
                    .door
                    .enter(
                        run.recorder.clock,
                        &connector.client,
                        run.azure,
                        application,
                        &proof,
                        Service::ResourceManager,
                    )
                    .await;
                match answer {
                    // A refusal, not a bad minute of Entra's: not asked again.
                    Err(failure) if refuses_assertion(&failure) => Ok(Err(failure)),
                    Err(failure) => Err(failure),
                    Ok(_) => Ok(Ok(())),
                }
            };
            match run.recorder.patiently(enter).await {
                Ok(Err(failure)) => Found::pass(format!("refused, as it must be: {failure}")),
                // Never "propagating": an application that lets us in too
                // easily does so now.
                Ok(Ok(())) => wrong.let_in(run, application),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

pub(super) const NOT_ACCEPTED: &str =
    "not asked: the right token was not accepted, so a refusal would prove nothing";

/// The checks that stand on the credential being accepted.
pub(super) fn rest_skipped(run: &Run<'_>, identity: Identity, why: &str) -> Vec<Check> {
    if !by_assertion(run, identity) {
        return Vec::new();
    }
    let skipped = |wrong: Wrong| {
        let question = wrong.question(identity.as_str());
        run.recorder.noted(question, Found::skipped(why))
    };
    WRONGS.into_iter().map(skipped).collect()
}
