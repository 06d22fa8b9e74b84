//! For each role: it lets us in, and it refuses whoever lacks the external id or
//! shows another token than this connection's.
//!
//! The order matters. Only after the right one was accepted does a refusal of a
//! missing or wrong one mean that the role asks for it: before, it may as well
//! mean that there is no role.

use super::{Found, Opener, Question, Run, holds};
use crate::{
    connect::{HOUR, SHORTEST},
    door::{Door, Proof, refuses_token},
    session::{Assume, Issued},
};
use landfall_model::{
    check::Check,
    driver::{Failure, FailureKind},
    grant::{AWS_AUDIENCE, Identity},
    issuer::{Flaw, Token},
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
    Refused(Wrong),
    Duration,
}

/// What must not open the role.
#[derive(Clone, Copy)]
enum Wrong {
    NoExternalId,
    OtherExternalId,
    OtherSubject,
    OtherAudience,
    Expired,
    BadlySigned,
}

const BY_PRINCIPAL: [Step; 4] = [
    Step::Accepted,
    Step::Refused(Wrong::NoExternalId),
    Step::Refused(Wrong::OtherExternalId),
    Step::Duration,
];

const BY_TOKEN: [Step; 6] = [
    Step::Accepted,
    Step::Refused(Wrong::OtherSubject),
    Step::Refused(Wrong::OtherAudience),
    Step::Refused(Wrong::Expired),
    Step::Refused(Wrong::BadlySigned),
    Step::Duration,
];

fn steps(run: &Run<'_>) -> &'static [Step] {
    match run.connector.door {
        Door::Principal(_) => &BY_PRINCIPAL,
        Door::Issuer { .. } => &BY_TOKEN,
    }
}

impl Step {
    fn question(self, run: &Run<'_>, identity: Identity) -> Question {
        let (who, role_arn) = (identity.as_str(), run.role_arn(identity));
        let by_token = matches!(run.connector.door, Door::Issuer { .. });
        let seconds = duration(identity);
        match self {
            Self::Accepted if by_token => Question::new(
                format!("aws.token-accepted.{who}"),
                format!("The {who} lets this server in with its token"),
                format!("sts:AssumeRoleWithWebIdentity on {role_arn} with this connection's token"),
            ),
            Self::Accepted => Question::new(
                format!("aws.external-id-accepted.{who}"),
                format!("The {who} lets this server in with its external id"),
                format!("sts:AssumeRole on {role_arn} with the connection's external id"),
            ),
            Self::Refused(wrong) => wrong.question(who, &role_arn),
            Self::Duration => Question::new(
                format!("aws.session-duration.{who}"),
                format!(
                    "The {who} gives sessions of {} minutes, as needed",
                    seconds / 60
                ),
                format!(
                    "{} on {role_arn} for {seconds} seconds",
                    if by_token {
                        "sts:AssumeRoleWithWebIdentity"
                    } else {
                        "sts:AssumeRole"
                    }
                ),
            ),
        }
    }
}

impl Wrong {
    fn question(self, who: &str, role_arn: &str) -> Question {
        let (id, refuses, asked) = match self {
            Self::NoExternalId => (
                "external-id-required",
                "a missing external id",
                "without an external id",
            ),
            Self::OtherExternalId => (
                "external-id-enforced",
                "a wrong external id",
                "with another, random external id",
            ),
            Self::OtherSubject => (
                "token-subject-enforced",
                "the token of another connection",
                "with a token of another subject",
            ),
            Self::OtherAudience => (
                "token-audience-enforced",
                "a token for somebody else",
                "with a token for another audience",
            ),
            Self::Expired => (
                "token-expiry-enforced",
                "an expired token",
                "with a token that has expired",
            ),
            Self::BadlySigned => (
                "token-signature-enforced",
                "a forged token",
                "with a token whose signature is not this server's",
            ),
        };
        let action = match self {
            Self::NoExternalId | Self::OtherExternalId => "sts:AssumeRole",
            _ => "sts:AssumeRoleWithWebIdentity",
        };
        Question::new(
            format!("aws.{id}.{who}"),
            format!("The {who} refuses {refuses}"),
            format!("{action} on {role_arn} {asked}"),
        )
    }

    /// What to show to the role instead.
    fn proof(self, run: &Run<'_>) -> Proof {
        let random = || hex::encode(run.recorder.entropy.array::<16>());
        let mut token = Token::good(run.connection.subject(), AWS_AUDIENCE);
        match self {
            Self::NoExternalId => return Proof::ExternalId(None),
            // A role that asks for no id at all lets a wrong one in as well;
            // asked nevertheless, because it is its own fault with its own
            // evidence.
            Self::OtherExternalId => {
                return Proof::ExternalId(Some(format!("landfall-wrong-{}", random())));
            }
            // As another connection of the same organization would have it.
            Self::OtherSubject => {
                token.subject = format!(
                    "landfall:{}:con_{}",
                    run.connection.organization_id,
                    random()
                );
            }
            Self::OtherAudience => token.audience = format!("landfall-wrong-{}", random()),
            Self::Expired => token.flaw = Flaw::Expired,
            Self::BadlySigned => token.flaw = Flaw::BadlySigned,
        }
        Proof::Token(token)
    }

    /// What a session means that should not have been issued, and what to do.
    fn let_in(self, run: &Run<'_>, role_arn: &str) -> Found {
        let connection = run.connection;
        match self {
            Self::NoExternalId | Self::OtherExternalId => Found::fail(
                "STS issued a session: your role can be assumed by anyone who knows its ARN and \
                 can make this server ask for it",
                format!(
                    "add to the trust policy of {role_arn} the condition \"StringEquals\": \
                     {{\"sts:ExternalId\": \"{}\"}}, or make the grant again",
                    connection.external_id
                ),
            ),
            Self::OtherSubject => Found::fail(
                "STS issued a session: your role can be assumed by every connection of this \
                 server, also those of other organizations",
                format!(
                    "add to the trust policy of {role_arn} the condition \"StringEquals\" on the \
                     issuer's \":sub\" with \"{}\", or make the grant again",
                    connection.subject()
                ),
            ),
            Self::OtherAudience => Found::fail(
                "STS issued a session: the role accepts tokens that were made for somebody else",
                format!(
                    "remove other audiences from the OpenID Connect provider, and make the grant \
                     of {role_arn} again"
                ),
            ),
            Self::Expired | Self::BadlySigned => Found::fail(
                "STS issued a session for a token that is not valid: what answers is not AWS",
                "the operator checks clouds.aws.endpoint_url",
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
        steps(run),
        "not asked: the reaper was left out of this connection, so Landfall never deletes and \
         prints what to delete by hand",
    )
}

fn skip_all(run: &Run<'_>, identity: Identity, steps: &[Step], why: &str) -> Findings {
    Findings {
        checks: steps
            .iter()
            .map(|step| {
                run.recorder
                    .noted(step.question(run, identity), Found::skipped(why))
            })
            .collect(),
        session: None,
        refused: false,
    }
}

pub(super) async fn verify(run: &Run<'_>, identity: Identity, opener: Option<&Opener>) -> Findings {
    let steps = steps(run);
    let Some(opener) = opener else {
        return skip_all(
            run,
            identity,
            steps,
            "not asked: this server has no usable identity",
        );
    };
    let mut findings = accepted(run, identity, opener).await;
    if findings.session.is_none() {
        let rest = skip_all(
            run,
            identity,
            &steps[1..],
            match opener {
                Opener::Principal(_) => {
                    "not asked: the right external id was not accepted, so a refusal would prove \
                     nothing"
                }
                Opener::Issuer { .. } => {
                    "not asked: the right token was not accepted, so a refusal would prove nothing"
                }
            },
        );
        findings.checks.extend(rest.checks);
        return findings;
    }
    for step in steps {
        match step {
            Step::Accepted => {}
            Step::Refused(wrong) => findings.checks.push(refuses(run, identity, *wrong).await),
            Step::Duration => findings.checks.push(lasts(run, identity, opener).await),
        }
    }
    findings
}

async fn accepted(run: &Run<'_>, identity: Identity, opener: &Opener) -> Findings {
    let role_arn = run.role_arn(identity);
    let assume = run
        .connector
        .assume(run.connection, role_arn.clone(), "check");
    let mut session = None;
    let mut refused = false;
    let check = run
        .recorder
        .record(Step::Accepted.question(run, identity), async {
            match ask(run, &assume).await {
                Ok(issued) => {
                    let evidence = format!("STS issued a session of {role_arn}");
                    session = Some(issued);
                    Found::pass(evidence)
                }
                Err(failure) => {
                    refused = failure.kind == FailureKind::Denied;
                    run.recorder.failed(&failure, &remedy(run, opener))
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

fn remedy(run: &Run<'_>, opener: &Opener) -> String {
    match opener {
        Opener::Principal(server) => format!(
            "make the grant again: the role must exist under exactly this name, trust {} and ask \
             for this connection's external id; and this server must itself be allowed \
             sts:AssumeRole on it (AWS does not say which of these is missing)",
            server.principal_arn
        ),
        Opener::Issuer { url } => format!(
            "make the grant again: the account must have an OpenID Connect provider for {url} \
             with the audience {AWS_AUDIENCE}, and the role must exist under exactly this name \
             and trust the subject {}",
            run.connection.subject()
        ),
    }
}

/// Asks with something wrong, and wants a refusal.
async fn refuses(run: &Run<'_>, identity: Identity, wrong: Wrong) -> Check {
    let role_arn = run.role_arn(identity);
    let mut assume = run
        .connector
        .assume(run.connection, role_arn.clone(), "probe");
    assume.proof = wrong.proof(run);
    run.recorder
        .record(Step::Refused(wrong).question(run, identity), async {
            match ask(run, &assume).await {
                Err(failure) if refuses_token(&failure) => {
                    Found::pass(format!("refused, as it must be: {failure}"))
                }
                Err(failure) => run.recorder.failed(&failure, ""),
                // Never "propagating": a role that lets us in too easily does
                // so now.
                Ok(_) => wrong.let_in(run, &role_arn),
            }
        })
        .await
}

async fn lasts(run: &Run<'_>, identity: Identity, opener: &Opener) -> Check {
    let role_arn = run.role_arn(identity);
    let mut assume = run
        .connector
        .assume(run.connection, role_arn.clone(), "check");
    assume.duration = duration(identity);
    run.recorder
        .record(Step::Duration.question(run, identity), async {
            match ask(run, &assume).await {
                Ok(issued) => {
                    let mut evidence = format!("STS issued one until {}", issued.expires);
                    if let Opener::Principal(server) = opener
                        && identity == Identity::Provisioner
                        && server.caller.is_session()
                    {
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
    let door = &run.connector.door;
    // An expired token is a refusal, not a bad minute of AWS's.
    let once = match &assume.proof {
        Proof::Token(token) => token.flaw != Flaw::None,
        Proof::ExternalId(_) => false,
    };
    if once {
        door.issue(assume).await
    } else {
        run.recorder.patiently(|| door.issue(assume)).await
    }
}
