//! Whether Google takes the key that the customer gave, and looks at what it
//! signs.

use super::Arrived;
use crate::{
    connect::verify::{Found, Question, Run, holds},
    door::{
        key::{ACCOUNT_DISABLED, ACCOUNT_GONE, AUDIENCE, GivenKey, KEY_REFUSED, Shown, Signer},
        refuses_token,
    },
    http::Session,
};
use landfall_model::{check::Check, driver::Failure, issuer::Flaw};

/// What an assertion must not be taken with.
#[derive(Clone, Copy)]
enum Wrong {
    Audience,
    Expired,
    BadlySigned,
}

const WRONG: [Wrong; 3] = [Wrong::Audience, Wrong::Expired, Wrong::BadlySigned];

pub(super) async fn arrive(run: &Run<'_>, door: &GivenKey) -> Arrived {
    let mut signer = None;
    let stored = Question::new(
        "gcp.key-stored",
        "This server holds the key, sealed",
        "the vault, for the key of this connection",
    );
    let stored = run
        .recorder
        .record(stored, async {
            match door.signer(run.connection).await {
                Ok(found) => {
                    let said = format!("the key {} of {}", found.key_id, found.service_account);
                    signer = Some(found);
                    Found::pass(said)
                }
                Err(failure) => Found::fail(
                    failure.message.clone(),
                    "upload the key file again, or the operator runs 'landfall doctor' on the \
                     server",
                ),
            }
        })
        .await;
    let mut checks = vec![stored];
    let mut answer = None;
    checks.push(accepted(run, signer.as_ref(), &mut answer).await);
    let accepted = checks.last().is_some_and(holds);
    let signer = signer.as_ref().filter(|_| accepted);
    let refusals = WRONG.map(|wrong| refused(run, signer, wrong));
    checks.extend(futures::future::join_all(refusals).await);
    Arrived::new(checks, answer)
}

async fn accepted(
    run: &Run<'_>,
    signer: Option<&Signer>,
    answer: &mut Option<Result<Session, Failure>>,
) -> Check {
    let question = Question::new(
        "gcp.key-accepted",
        "Google takes the key",
        "an access token for an assertion that the key signs",
    );
    run.recorder
        .record(question, async {
            let Some(signer) = signer else {
                return Found::skipped("not asked: this server does not have the key");
            };
            let entered = run
                .recorder
                .patiently(|| run.connector.entry(run.connection))
                .await;
            let found = match &entered {
                Ok(_) => Found::pass(format!("a token of {}", signer.service_account)),
                Err(failure) => run.recorder.failed(failure, &remedy(signer, failure)),
            };
            *answer = Some(entered);
            found
        })
        .await
}

/// What to do about a key that is refused, as exactly as Google's answer allows.
fn remedy(signer: &Signer, failure: &Failure) -> String {
    let (email, key) = (&signer.service_account, &signer.key_id);
    match failure.code.as_str() {
        KEY_REFUSED => format!(
            "the key was deleted, disabled or has expired. Look at IAM & Admin → Service accounts \
             → {email} → Keys: if {key} is there and disabled, enable it; otherwise create a new \
             key and upload its file, or migrate this connection to workload-identity, which needs \
             no key"
        ),
        ACCOUNT_DISABLED => format!(
            "the service account is disabled, not the key: gcloud iam service-accounts enable \
             {email}"
        ),
        ACCOUNT_GONE => format!(
            "the service account {email} was deleted, and its keys with it. Within 30 days an \
             owner can undelete it by its unique id; otherwise run the setup again and upload the \
             new key"
        ),
        _ => "run the setup again and upload the new key".to_owned(),
    }
}

impl Wrong {
    fn question(self) -> Question {
        let (id, title, asked) = match self {
            Self::Audience => (
                "audience",
                "Google refuses an assertion that is for somebody else",
                "an assertion of the key for another audience",
            ),
            Self::Expired => (
                "expiry",
                "Google refuses an expired assertion",
                "an assertion of the key that is over",
            ),
            Self::BadlySigned => (
                "signature",
                "Google refuses a badly signed assertion",
                "an assertion whose signature is not its own",
            ),
        };
        Question::new(format!("gcp.token-{id}-enforced"), title, asked)
    }

    const fn shown(self) -> Shown<'static> {
        Shown {
            audience: match self {
                Self::Audience => "https://somebody-else.example",
                Self::Expired | Self::BadlySigned => AUDIENCE,
            },
            flaw: match self {
                Self::Audience => Flaw::None,
                Self::Expired => Flaw::Expired,
                Self::BadlySigned => Flaw::BadlySigned,
            },
        }
    }
}

async fn refused(run: &Run<'_>, signer: Option<&Signer>, wrong: Wrong) -> Check {
    run.recorder
        .record(wrong.question(), async {
            let Some(signer) = signer else {
                return Found::skipped("not asked: the key was not accepted");
            };
            let google = &run.connector.google;
            let now = run.recorder.clock.now();
            let answer = run
                .recorder
                .patiently(|| signer.exchange(google, now, wrong.shown()))
                .await;
            match answer {
                Ok(_) => Found::fail(
                    "the endpoint took it, which Google's own never does",
                    "the operator checks clouds.gcp.endpoint_template: something else than Google \
                     Cloud answers there",
                ),
                Err(failure) if refuses_token(&failure) => {
                    Found::pass(format!("refused: {failure}"))
                }
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}
