//! Whether Google takes this connection's token, and no other.
//!
//! The order matters. Only after the right token was accepted does a refusal of
//! another one mean that the provider looks: before, it may as well mean that
//! there is no provider.

use super::Arrived;
use crate::{
    config::IssuerKeys,
    connect::verify::{Found, Question, Run, holds},
    door::{
        federation::{ENTER_NUMBER, Federation, exchange, good, provider},
        refuses_token,
    },
    error::SERVICE_DISABLED,
    http::Session,
};
use landfall_model::{
    check::Check,
    connection::{GcpAccess, ProjectNumber},
    driver::Failure,
    issuer::{Flaw, Issuer, Token},
};

/// What must not open the door.
#[derive(Clone, Copy)]
enum Wrong {
    Subject,
    Audience,
    Expired,
    BadlySigned,
}

const WRONG: [Wrong; 4] = [
    Wrong::Subject,
    Wrong::Audience,
    Wrong::Expired,
    Wrong::BadlySigned,
];

pub(super) async fn arrive(run: &Run<'_>, door: &Federation) -> Arrived {
    let mut answer = None;
    let issuer = door.issuer.as_ref();
    let (ready, mut checks) = ours(run, issuer).await;
    checks.push(accepted(run, ready, door.keys, &mut answer).await);
    Arrived::new(checks, answer)
}

pub(super) async fn refusals(run: &Run<'_>, door: &Federation, accepted: bool) -> Vec<Check> {
    let number = number(run).filter(|_| accepted);
    let refusals = WRONG.map(|wrong| refused(run, door.issuer.as_ref(), wrong, number));
    futures::future::join_all(refusals).await
}

fn number<'a>(run: &Run<'a>) -> Option<&'a ProjectNumber> {
    match run.connection.access() {
        GcpAccess::WorkloadIdentity { project_number } => project_number.as_ref(),
        _ => None,
    }
}

/// What this server needs before it can ask.
async fn ours(run: &Run<'_>, issuer: &dyn Issuer) -> (bool, Vec<Check>) {
    let signs = Question::new(
        "gcp.issuer",
        "This server signs assertions",
        "the issuer's address, and the key that signs now",
    );
    let signs = run
        .recorder
        .record(signs, async {
            let Some(url) = issuer.url() else {
                return Found::fail(
                    crate::connect::NO_ISSUER,
                    "the operator sets issuer.url to an https address",
                );
            };
            match issuer.key_id().await {
                Ok(key) => Found::pass(format!("{url} signs with the key {key}")),
                Err(error) => Found::fail(
                    format!("no key signs: {error}"),
                    "the operator runs 'landfall doctor' on the server",
                ),
            }
        })
        .await;
    let known = Question::new(
        "gcp.project-number-known",
        "The project's number is known",
        "the number that was entered",
    );
    let known = run.recorder.noted(
        known,
        match number(run) {
            Some(number) => Found::pass(format!("project {} has the number {number}", run.connection.project_id())),
            None => Found::fail(
                "nobody has entered it, and Google's token exchange knows a project by nothing else",
                ENTER_NUMBER,
            ),
        },
    );
    (holds(&signs) && holds(&known), vec![signs, known])
}

async fn accepted(
    run: &Run<'_>,
    ready: bool,
    keys: IssuerKeys,
    answer: &mut Option<Result<Session, Failure>>,
) -> Check {
    let question = Question::new(
        "gcp.token-accepted",
        "Google takes this connection's token",
        "a token exchange with the subject of this connection",
    );
    run.recorder
        .record(question, async {
            if !ready {
                return Found::skipped("not asked: this server or the number is not ready");
            }
            let entered = run
                .recorder
                .patiently(|| run.connector.entry(run.connection))
                .await;
            let found = match &entered {
                Ok(_) => Found::pass(format!(
                    "the pool {} took a token of the subject {}",
                    run.connection.pool_id(),
                    run.connection.subject()
                )),
                Err(failure) => run.recorder.failed(failure, &remedy(run, failure, keys)),
            };
            *answer = Some(entered);
            found
        })
        .await
}

/// What to do about a refused exchange, as exactly as Google's answer allows.
fn remedy(run: &Run<'_>, failure: &Failure, keys: IssuerKeys) -> String {
    let said = failure.message.to_ascii_lowercase();
    match failure.code.as_str() {
        "invalid_target" => format!(
            "run the setup in the project {}: there is no pool {} with the provider {}, or it is \
             disabled or deleted. If it is there, the project number that was entered is another \
             project's",
            run.connection.project_id(),
            run.connection.pool_id(),
            run.connection.provider_id()
        ),
        "unauthorized_client" => format!(
            "run the setup again: the provider's attribute condition must be assertion.sub == \
             '{}'",
            run.connection.subject()
        ),
        "invalid_grant" if said.contains("signature") && keys == IssuerKeys::Uploaded => {
            "run the setup again: it uploads the keys that this server signs with now".to_owned()
        }
        "invalid_grant" if said.contains("issuer") => {
            "run the setup again: the provider has another issuer than this server's".to_owned()
        }
        "invalid_grant" if said.contains("audience") => {
            "run the setup again: the provider must have no allowed audiences, so that its own \
             name is the only one"
                .to_owned()
        }
        SERVICE_DISABLED => {
            "run the setup again: the Security Token Service API (sts.googleapis.com) is off in \
             the project"
                .to_owned()
        }
        _ => "run the setup again".to_owned(),
    }
}

impl Wrong {
    fn question(self) -> Question {
        let (id, title, asked) = match self {
            Self::Subject => (
                "subject",
                "Google refuses another connection's token",
                "a token exchange with the subject of a connection that does not exist",
            ),
            Self::Audience => (
                "audience",
                "Google refuses a token that is for somebody else",
                "a token exchange with another audience",
            ),
            Self::Expired => (
                "expiry",
                "Google refuses an expired token",
                "a token exchange with a token that is over",
            ),
            Self::BadlySigned => (
                "signature",
                "Google refuses a badly signed token",
                "a token exchange with a token whose signature is not its own",
            ),
        };
        Question::new(format!("gcp.token-{id}-enforced"), title, asked)
    }

    fn token(self, run: &Run<'_>, number: &ProjectNumber) -> Token {
        let mut token = good(run.connection, number);
        match self {
            Self::Subject => "landfall:org_other:con_other".clone_into(&mut token.subject),
            Self::Audience => "https://somebody-else.example".clone_into(&mut token.audience),
            Self::Expired => token.flaw = Flaw::Expired,
            Self::BadlySigned => token.flaw = Flaw::BadlySigned,
        }
        token
    }

    fn accepted(self, run: &Run<'_>) -> Found {
        match self {
            Self::Subject => Found::fail(
                "the provider took it: every connection of this server could get into the pool",
                format!(
                    "run the setup again, or set the provider's attribute condition to \
                     assertion.sub == '{}'",
                    run.connection.subject()
                ),
            ),
            Self::Audience => Found::fail(
                "the provider took it: a token that was made for another service opens the pool",
                "run the setup again, or remove the provider's allowed audiences",
            ),
            Self::Expired | Self::BadlySigned => Found::fail(
                "the endpoint took it, which Google's own never does",
                "the operator checks clouds.gcp.endpoint_template: something else than Google \
                 Cloud answers there",
            ),
        }
    }
}

async fn refused(
    run: &Run<'_>,
    issuer: &dyn Issuer,
    wrong: Wrong,
    number: Option<&ProjectNumber>,
) -> Check {
    run.recorder
        .record(wrong.question(), async {
            let Some(number) = number else {
                return Found::skipped("not asked: the right token was not accepted");
            };
            let token = wrong.token(run, number);
            let provider = provider(run.connection, number);
            let answer = run
                .recorder
                .patiently(|| {
                    exchange(
                        &run.connector.google,
                        issuer,
                        run.connector.clock.as_ref(),
                        &provider,
                        &token,
                    )
                })
                .await;
            match answer {
                Ok(_) => wrong.accepted(run),
                Err(failure) if refuses_token(&failure) => {
                    Found::pass(format!("refused: {failure}"))
                }
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}
