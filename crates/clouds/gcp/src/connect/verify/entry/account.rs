//! Whether this server can be the account that it made for the connection, and
//! whether the customer lets that one in and no other.

use super::Arrived;
use crate::{
    connect::verify::{Found, Question, Run, holds},
    door::{
        SHORT, act_as,
        operator::{Acting, Operator, given},
    },
    error::SERVICE_DISABLED,
    http::Session,
};
use landfall_model::{
    check::{Check, Outcome},
    driver::{Failure, FailureKind},
    grant::GcpIdentity,
};

pub(super) async fn arrive(run: &Run<'_>, door: &Operator) -> Arrived {
    let mut acting = None;
    let identity = Question::new(
        "gcp.operator-identity",
        "This server has a Google identity",
        "a token of the identity in clouds.gcp.operator",
    );
    let identity = run
        .recorder
        .record(identity, async {
            let answer = run
                .recorder
                .patiently(|| door.acting(&run.connector.google, run.recorder.clock))
                .await;
            match answer {
                Ok(found) => {
                    let said = format!("signed in as {}", found.email);
                    acting = Some(found);
                    Found::pass(said)
                }
                Err(failure) => trouble(&failure),
            }
        })
        .await;
    let own = own(run);
    let ready = holds(&own) && holds(&identity);
    let mut checks = vec![identity, own];
    let mut answer = None;
    checks.push(accepted(run, ready, &mut answer).await);
    let entered = answer.as_ref().and_then(|answer| answer.as_ref().ok());
    checks.push(only_own(run, acting.as_ref(), entered).await);
    Arrived::new(checks, answer)
}

/// What is wrong here is not the customer's to mend.
fn trouble(failure: &Failure) -> Found {
    Found::with(
        Outcome::Unanswered,
        failure.message.clone(),
        "the operator looks at clouds.gcp.operator and at that account's roles in its project; \
         'landfall doctor' on the server says more",
    )
}

fn own(run: &Run<'_>) -> Check {
    let question = Question::new(
        "gcp.own-account",
        "The connection has a service account of its own",
        "the account that this server made for it",
    );
    let found = match given(run.connection) {
        Ok(email) => Found::pass(format!("{email}, for this connection alone")),
        Err(failure) => Found::fail(
            failure.message,
            "disconnect, and connect again: each connection gets an account of its own",
        ),
    };
    run.recorder.noted(question, found)
}

async fn accepted(
    run: &Run<'_>,
    ready: bool,
    answer: &mut Option<Result<Session, Failure>>,
) -> Check {
    let question = Question::new(
        "gcp.token-accepted",
        "This server can act as the connection's account",
        "generateAccessToken of the connection's account",
    );
    run.recorder
        .record(question, async {
            if !ready {
                return Found::skipped("not asked: this server or its account is not ready");
            }
            let entered = run
                .recorder
                .patiently(|| run.connector.entry(run.connection))
                .await;
            let found = match &entered {
                Ok(_) => Found::pass("a token of the connection's account"),
                Err(failure) => trouble(failure),
            };
            *answer = Some(entered);
            found
        })
        .await
}

/// Were the identity that all connections share let in, each of them would be.
async fn only_own(run: &Run<'_>, acting: Option<&Acting>, own: Option<&Session>) -> Check {
    let email = run.connection.service_account_email("provisioner");
    let question = Question::new(
        "gcp.other-accounts-refused",
        "The provisioner refuses this server's other identities",
        format!("generateAccessToken of {email} without the connection's own account"),
    );
    run.recorder
        .record(question, async {
            let (Some(acting), Some(own)) = (acting, own) else {
                return Found::skipped("not asked: the connection's own account was not reached");
            };
            let provisioner = GcpIdentity::Provisioner;
            // Only then does a refusal of somebody else mean that it looks.
            if run
                .recorder
                .patiently(|| run.connector.identity(own, run.connection, provisioner))
                .await
                .is_err()
            {
                return Found::skipped(
                    "not asked: the provisioner does not let this connection in",
                );
            }
            let answer = run
                .recorder
                .patiently(|| act_as(&acting.session, &email, SHORT))
                .await;
            match answer {
                Ok(_) => Found::fail(
                    format!(
                        "it lets {} in, as which this server acts for everybody",
                        acting.email
                    ),
                    format!(
                        "take {} away from {email} (IAM & Admin → Service accounts → Principals \
                         with access), or from the project: another connection of this server \
                         could use it",
                        acting.email
                    ),
                ),
                Err(failure)
                    if matches!(failure.kind, FailureKind::Denied | FailureKind::NotFound)
                        && failure.code != SERVICE_DISABLED =>
                {
                    Found::pass(format!("refused: {failure}"))
                }
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}
