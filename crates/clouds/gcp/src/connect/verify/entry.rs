//! Getting in by the connection's way, and from there to the accounts of the
//! grant.

mod account;
mod federation;
mod key;

use super::{Found, Question, Run, Sessions};
use crate::{door::Door, error::SERVICE_DISABLED, http::Session};
use landfall_model::{
    check::{Check, Outcome},
    driver::{Failure, FailureKind},
    grant::GcpIdentity,
};

/// What came of the way in.
pub(super) struct Arrived {
    pub(super) checks: Vec<Check>,
    /// Whoever may act as the accounts of the grant.
    pub(super) session: Option<Session>,
    /// The cloud refused, as far as that is the customer's doing.
    pub(super) refused: bool,
}

impl Arrived {
    fn new(checks: Vec<Check>, answer: Option<Result<Session, Failure>>) -> Self {
        Self {
            refused: matches!(&answer, Some(Err(failure)) if is_refusal(failure)),
            session: answer.and_then(Result::ok),
            checks,
        }
    }
}

pub(super) async fn arrive(run: &Run<'_>) -> Arrived {
    match &run.connector.door {
        Door::Federation(door) => federation::arrive(run, door).await,
        Door::Key(door) => key::arrive(run, door).await,
        Door::Account(door) => account::arrive(run, door).await,
    }
}

/// What must not open the door, asked while it is gone through.
pub(super) async fn refusals(run: &Run<'_>, entry: Option<&Session>) -> Vec<Check> {
    match &run.connector.door {
        Door::Federation(door) => federation::refusals(run, door, entry.is_some()).await,
        Door::Key(_) | Door::Account(_) => Vec::new(),
    }
}

/// Whom the way in leads to.
pub(super) struct Entered {
    pub(super) checks: Vec<Check>,
    pub(super) sessions: Sessions,
    pub(super) refused: bool,
}

pub(super) async fn enter(run: &Run<'_>, entry: Option<&Session>) -> Entered {
    let become_each = run
        .grant
        .accounts
        .iter()
        .map(|account| become_one(run, entry, account.identity));
    let mut checks = Vec::new();
    let mut sessions = Sessions::default();
    let mut refused = false;
    for (identity, session, check) in futures::future::join_all(become_each).await {
        // What this run has just made may not have settled.
        let counts = check.outcome == Outcome::Fail || !run.recorder.has_acted();
        checks.push(check);
        match (identity, session) {
            (GcpIdentity::Bootstrap, Some(Ok(session))) => sessions.bootstrap = Some(session),
            (GcpIdentity::Provisioner, Some(Ok(session))) => sessions.provisioner = Some(session),
            (GcpIdentity::Reaper, Some(Ok(session))) => sessions.reaper = Some(session),
            (GcpIdentity::Provisioner, Some(Err(failure))) if counts => {
                refused |= is_refusal(&failure);
            }
            _ => {}
        }
    }
    if !run.connection.with_reaper {
        let question = Question::new(
            "gcp.reaper-impersonated",
            "The reaper lets this server in",
            "nothing",
        );
        checks.push(run.recorder.noted(
            question,
            Found::skipped(
                "not asked: the reaper was left out, so Landfall never deletes what holds data",
            ),
        ));
    }
    Entered {
        checks,
        sessions,
        refused,
    }
}

fn is_refusal(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Denied | FailureKind::Unauthorized | FailureKind::NotFound
    )
}

async fn become_one(
    run: &Run<'_>,
    entry: Option<&Session>,
    identity: GcpIdentity,
) -> (GcpIdentity, Option<Result<Session, Failure>>, Check) {
    let who = identity.as_str();
    let email = run.connection.service_account_email(who);
    let question = Question::new(
        format!("gcp.{who}-impersonated"),
        format!("The {who} lets this server in"),
        format!("generateAccessToken of {email}"),
    );
    let mut answer = None;
    let check = run
        .recorder
        .record(question, async {
            let Some(entry) = entry else {
                return Found::skipped("not asked: this server has no token to ask with");
            };
            let became = run
                .recorder
                .patiently(|| run.connector.identity(entry, run.connection, identity))
                .await;
            let found = match &became {
                Ok(_) => Found::pass(format!("a token of {email}")),
                Err(failure) if failure.code == SERVICE_DISABLED => run.recorder.denied(
                    failure.message.clone(),
                    "run the setup again: the IAM Service Account Credentials API \
                     (iamcredentials.googleapis.com) is off in the project",
                ),
                Err(failure) => run.recorder.failed(failure, &untrusted(run, &email)),
            };
            answer = Some(became);
            found
        })
        .await;
    (identity, answer, check)
}

/// What to do about an account that does not let us in.
fn untrusted(run: &Run<'_>, email: &str) -> String {
    let role = run.grant.trust.role();
    let mut remedy = format!(
        "run the setup again: the account {email} is missing or disabled, or its binding of \
         {role} to this connection is"
    );
    if matches!(run.connector.door, Door::Account(_)) {
        remedy.push_str(&format!(". {}", super::policies::SHARING_OUR_ACCOUNT));
    }
    remedy
}
