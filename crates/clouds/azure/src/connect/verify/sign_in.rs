//! For each identity: it lets us in, and it refuses whoever shows another
//! assertion than this connection's.
//!
//! The order matters. Only after the right one was accepted does a refusal of a
//! wrong one mean that the application asks for it: before, it may as well mean
//! that there is no application.

mod answered;
mod asked;
mod wrong;

use super::{
    Found, Run, Signed, above, grant::Reading, holds, owned, recorder::Settling, subscription,
};
use crate::{client::Session, connect::reaper, error::Service};
use answered::{accepted, identified};
use asked::{Shown, accepted_question, client_question, known_question, shown};
use landfall_model::{
    check::Check,
    connection::Guid,
    driver::{Failure, FailureKind},
    grant::Identity,
};
use wrong::{NOT_ACCEPTED, rest_skipped, wrongs};

const NOBODY: &str = "not asked: nobody could sign in as the provisioner";

pub(super) struct Findings<'a> {
    pub(super) checks: Vec<Check>,
    /// When we got in and the role counts in the subscription.
    pub(super) signed: Option<Signed<'a>>,
    /// The customer's side refused.
    pub(super) refused: bool,
    /// What was refused is a secret whose time is over.
    pub(super) expired: bool,
}

/// The provisioner, and with it the tenant and the subscription.
pub(super) async fn provisioner<'a>(run: &Run<'a>) -> Findings<'a> {
    let identity = Identity::Provisioner;
    let Some(application) = run.azure.client_id() else {
        let missing = run.connector.no_client();
        let remedy = match shown(run, identity) {
            Shown::Application => "press \"Approve on Microsoft's page\"",
            _ => "enter the client id that the script printed",
        };
        let mut checks = vec![run.recorder.noted(
            client_question(run),
            if run.recorder.settling == Settling::New {
                Found::propagating(missing, remedy)
            } else {
                Found::fail(missing, remedy)
            },
        )];
        checks.extend(skip(run, identity, "not asked: the client id is not known"));
        return Findings {
            checks,
            signed: None,
            refused: false,
            expired: false,
        };
    };
    let asked = ask(run, identity, application).await;
    let mut checks = identified(run, application, asked.as_ref().err());
    let mut refused = false;
    let session = match asked {
        Ok(session) => {
            checks.push(accepted(run, identity, Ok(())));
            session
        }
        Err(failure) => {
            // An expired secret is no revocation: the customer did not take
            // anything back.
            let expired = failure.code == "AADSTS7000222";
            refused = failure.kind == FailureKind::Denied && !expired;
            checks.push(accepted(run, identity, Err(&failure)));
            checks.extend(rest_skipped(run, identity, NOT_ACCEPTED));
            if let Shown::Application = shown(run, identity) {
                checks.push(owned::skip(run));
            }
            checks.extend(subscription::skip(run));
            checks.extend(above::skip(run, NOBODY));
            return Findings {
                checks,
                signed: None,
                refused,
                expired,
            };
        }
    };
    checks.extend(wrongs(run, identity, application).await);
    if let Shown::Application = shown(run, identity) {
        let found = owned::check(run, &session).await;
        checks.extend(found.checks);
        if !found.proven {
            return Findings {
                checks,
                signed: None,
                refused: found.refused,
                expired: false,
            };
        }
    }
    let found = subscription::check(run, &session).await;
    refused |= found.refused;
    checks.extend(found.checks);
    checks.extend(match &found.unseen {
        None => above::check(run, &session).await,
        Some(failure) => above::unseen(run, &session, failure).await,
    });
    Findings {
        checks,
        signed: found.unseen.is_none().then(|| Signed {
            session,
            application: application.clone(),
        }),
        refused,
        expired: false,
    }
}

/// The reaper, which only a provisioner that was let in can find.
pub(super) async fn reaper<'a>(run: &Run<'a>, reading: &Reading) -> Findings<'a> {
    let identity = Identity::Reaper;
    let without = |found: Found, why: &str| {
        let mut checks = vec![run.recorder.noted(known_question(), found)];
        checks.extend(skip(run, identity, why));
        Findings {
            checks,
            signed: None,
            refused: false,
            expired: false,
        }
    };
    let skipped = |why: &str| without(Found::skipped(why), why);
    if !run.azure.with_reaper {
        return skipped(
            "not asked: the reaper was left out of this connection, so Landfall never deletes and \
             prints what to delete by hand",
        );
    }
    if run.connector.door.issuer().is_none() {
        return skipped(
            "not asked: a reaper has no secret, and this server has no public address from which \
             Entra could verify its tokens; so Landfall never deletes and prints what to delete \
             by hand",
        );
    }
    let Some(read) = reading else {
        return skipped("not asked: nobody could sign in as the provisioner, which finds it");
    };
    let found = read
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|read| reaper::client_among(run.azure, &read.roles, &read.assignments));
    let application = match found {
        Ok(application) => application,
        Err(failure) => {
            let remedy = "run the script again: it makes the reaper and says so in the \
                          assignment's description; or connect without a reaper";
            let found = if failure.code == "NoReaper" {
                run.recorder.denied(failure.to_string(), remedy)
            } else {
                run.recorder.failed(&failure, remedy)
            };
            return without(found, "not asked: the reaper is not known");
        }
    };
    let mut checks = vec![run.recorder.noted(
        known_question(),
        Found::pass(format!("client id {application}")),
    )];
    let session = match ask(run, identity, &application).await {
        Ok(session) => session,
        Err(failure) => {
            checks.push(accepted(run, identity, Err(&failure)));
            checks.extend(rest_skipped(run, identity, NOT_ACCEPTED));
            checks.push(subscription::skip_role(
                run,
                "not asked: nobody could sign in as the reaper",
            ));
            return Findings {
                checks,
                signed: None,
                refused: false,
                expired: false,
            };
        }
    };
    checks.push(accepted(run, identity, Ok(())));
    checks.extend(wrongs(run, identity, &application).await);
    let role = subscription::role(run, &session).await;
    let counts = holds(&role);
    checks.push(role);
    Findings {
        checks,
        signed: counts.then_some(Signed {
            session,
            application,
        }),
        refused: false,
        expired: false,
    }
}

async fn ask<'a>(
    run: &Run<'a>,
    identity: Identity,
    application: &Guid,
) -> Result<Session<'a>, Failure> {
    let connector = run.connector;
    run.recorder
        .patiently(|| connector.sign_in(run.azure, identity, application, Service::ResourceManager))
        .await
}

/// All checks of signing in, none of which could be made.
fn skip(run: &Run<'_>, identity: Identity, why: &str) -> Vec<Check> {
    let mut checks = vec![
        run.recorder
            .noted(accepted_question(run, identity), Found::skipped(why)),
    ];
    checks.extend(rest_skipped(run, identity, why));
    match identity {
        Identity::Provisioner => {
            if let Shown::Application = shown(run, identity) {
                checks.push(owned::skip(run));
            }
            checks.extend(subscription::skip(run));
            checks.extend(above::skip(run, NOBODY));
        }
        Identity::Reaper => checks.push(subscription::skip_role(run, why)),
    }
    checks
}

fn audience(run: &Run<'_>) -> String {
    run.connector.client.config.token_exchange_audience.clone()
}
