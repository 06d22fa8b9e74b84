//! For each role: it lets us in, and it refuses whoever lacks the external id.
//!
//! The order matters. Only after the right id was accepted does a refusal of a
//! missing or wrong id mean that the role asks for it: before, it may as well
//! mean that there is no role.

use super::{Found, Question, Run, holds};
use crate::{
    connect::{HOUR, SHORTEST, server::Server},
    session::{Assume, Issued},
};
use landfall_model::{
    check::Check,
    driver::{Failure, FailureKind},
    grant::Identity,
};

pub(super) struct Findings {
    pub(super) checks: Vec<Check>,
    /// A session, when the role let us in with the right external id.
    pub(super) session: Option<Issued>,
    /// The role refused the right external id.
    pub(super) refused: bool,
}

/// The checks of one role, in order.
#[derive(Clone, Copy)]
enum Step {
    Accepted,
    Required,
    Enforced,
    Duration,
}

const STEPS: [Step; 4] = [
    Step::Accepted,
    Step::Required,
    Step::Enforced,
    Step::Duration,
];

impl Step {
    fn question(self, identity: Identity, role_arn: &str) -> Question {
        let who = identity.as_str();
        let seconds = duration(identity);
        match self {
            Self::Accepted => Question::new(
                format!("aws.external-id-accepted.{who}"),
                format!("The {who} lets this server in with its external id"),
                format!("sts:AssumeRole on {role_arn} with the connection's external id"),
            ),
            Self::Required => Question::new(
                format!("aws.external-id-required.{who}"),
                format!("The {who} refuses a missing external id"),
                format!("sts:AssumeRole on {role_arn} without an external id"),
            ),
            Self::Enforced => Question::new(
                format!("aws.external-id-enforced.{who}"),
                format!("The {who} refuses a wrong external id"),
                format!("sts:AssumeRole on {role_arn} with another, random external id"),
            ),
            Self::Duration => Question::new(
                format!("aws.session-duration.{who}"),
                format!(
                    "The {who} gives sessions of {} minutes, as needed",
                    seconds / 60
                ),
                format!("sts:AssumeRole on {role_arn} for {seconds} seconds"),
            ),
        }
    }
}

/// The provisioner works for as long as chaining allows; the reaper is wanted
/// for minutes only.
const fn duration(identity: Identity) -> i32 {
    match identity {
        Identity::Provisioner => HOUR,
        Identity::Reaper => SHORTEST,
    }
}

/// The customer left the reaper out: nothing is asked, and every check says so.
pub(super) fn left_out(run: &Run<'_>) -> Findings {
    skip_all(
        run,
        Identity::Reaper,
        &STEPS,
        "not asked: the reaper was left out of this connection, so Landfall never deletes and \
         prints what to delete by hand",
    )
}

fn skip_all(run: &Run<'_>, identity: Identity, steps: &[Step], why: &str) -> Findings {
    let role_arn = run.role_arn(identity);
    Findings {
        checks: steps
            .iter()
            .map(|step| {
                run.recorder
                    .noted(step.question(identity, &role_arn), Found::skipped(why))
            })
            .collect(),
        session: None,
        refused: false,
    }
}

pub(super) async fn verify(run: &Run<'_>, identity: Identity, server: Option<&Server>) -> Findings {
    let Some(server) = server else {
        return skip_all(
            run,
            identity,
            &STEPS,
            "not asked: this server has no usable identity",
        );
    };
    let mut findings = accepted(run, identity, server).await;
    if findings.session.is_none() {
        let rest = skip_all(
            run,
            identity,
            &STEPS[1..],
            "not asked: the right external id was not accepted, so a refusal would prove nothing",
        );
        findings.checks.extend(rest.checks);
        return findings;
    }
    let required = refuses(run, identity, Step::Required, None).await;
    // A role that asks for no id at all lets a wrong one in as well; asked
    // nevertheless, because it is its own fault with its own evidence.
    let wrong = format!(
        "landfall-wrong-{}",
        hex::encode(run.recorder.entropy.array::<16>())
    );
    let enforced = refuses(run, identity, Step::Enforced, Some(wrong)).await;
    findings.checks.extend([required, enforced]);
    findings.checks.push(lasts(run, identity, server).await);
    findings
}

async fn accepted(run: &Run<'_>, identity: Identity, server: &Server) -> Findings {
    let role_arn = run.role_arn(identity);
    let assume = run
        .connector
        .assume(run.connection, role_arn.clone(), "check");
    let mut session = None;
    let mut refused = false;
    let check = run
        .recorder
        .record(Step::Accepted.question(identity, &role_arn), async {
            match ask(run, &assume).await {
                Ok(issued) => {
                    let evidence = format!("STS issued a session of {role_arn}");
                    session = Some(issued);
                    Found::pass(evidence)
                }
                Err(failure) => {
                    refused = failure.kind == FailureKind::Denied;
                    run.recorder.failed(
                        &failure,
                        &format!(
                            "make the grant again: the role must exist under exactly this name, \
                             trust {} and ask for this connection's external id; and this server \
                             must itself be allowed sts:AssumeRole on it (AWS does not say which \
                             of these is missing)",
                            server.principal_arn
                        ),
                    )
                }
            }
        })
        .await;
    Findings {
        session: session.filter(|_| holds(&check)),
        checks: vec![check],
        refused,
    }
}

/// Asks with the wrong or no external id, and wants a refusal.
async fn refuses(
    run: &Run<'_>,
    identity: Identity,
    step: Step,
    external_id: Option<String>,
) -> Check {
    let role_arn = run.role_arn(identity);
    let mut assume = run
        .connector
        .assume(run.connection, role_arn.clone(), "probe");
    assume.external_id = external_id;
    run.recorder
        .record(step.question(identity, &role_arn), async {
            match ask(run, &assume).await {
                Err(failure) if failure.kind == FailureKind::Denied => {
                    Found::pass(format!("refused, as it must be: {failure}"))
                }
                Err(failure) => run.recorder.failed(&failure, ""),
                // Never "propagating": a role that lets us in too easily does
                // so now.
                Ok(_) => Found::fail(
                    "STS issued a session: your role can be assumed by anyone who knows its ARN \
                     and can make this server ask for it",
                    format!(
                        "add to the trust policy of {role_arn} the condition \
                         \"StringEquals\": {{\"sts:ExternalId\": \"{}\"}}, or make the grant again",
                        run.connection.external_id
                    ),
                ),
            }
        })
        .await
}

async fn lasts(run: &Run<'_>, identity: Identity, server: &Server) -> Check {
    let role_arn = run.role_arn(identity);
    let mut assume = run
        .connector
        .assume(run.connection, role_arn.clone(), "check");
    assume.duration = duration(identity);
    run.recorder
        .record(Step::Duration.question(identity, &role_arn), async {
            match ask(run, &assume).await {
                Ok(issued) => {
                    let mut evidence = format!("STS issued one until {}", issued.expires);
                    if identity == Identity::Provisioner && server.caller.is_session() {
                        evidence.push_str(
                            "; this server is itself a session, so AWS caps its sessions at 1 h \
                             and Landfall renews them",
                        );
                    }
                    Found::pass(evidence)
                }
                Err(failure) => run.recorder.failed(
                    &failure,
                    &format!(
                        "set the maximum session duration of {role_arn} to at least {} s",
                        assume.duration
                    ),
                ),
            }
        })
        .await
}

async fn ask(run: &Run<'_>, assume: &Assume) -> Result<Issued, Failure> {
    let sts = run.connector.server.sts();
    run.recorder.patiently(|| assume.issue(sts)).await
}
