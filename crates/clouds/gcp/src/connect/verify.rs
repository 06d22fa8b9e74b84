//! All checks of a connection.
//!
//! First that Google takes our token and refuses others; then that we may act
//! as each account of the grant; then, as the bootstrap, what is switched on and
//! bound; then everything else side by side.

mod binding;
mod entry;
mod grant;
mod permissions;
mod policies;
mod project;
pub(super) mod quotas;
mod recorder;
mod services;

use super::GcpConnector;
use crate::http::Session;
use futures::{FutureExt, future::BoxFuture};
use landfall_model::{
    Timestamp,
    check::{Check, Outcome},
    connection::{Connection, GcpConnection, State},
    connector::{CheckSink, Verification},
    driver::Failure,
    grant::{GcpGrant, GcpIdentity, GrantSpec},
};
use recorder::{Found, Question, Recorder};

/// What all checks of one run share.
struct Run<'a> {
    connector: &'a GcpConnector,
    connection: GcpConnection<'a>,
    grant: &'a GcpGrant,
    recorder: Recorder<'a>,
}

/// Whom this run can act as.
#[derive(Default)]
struct Sessions {
    bootstrap: Option<Session>,
    provisioner: Option<Session>,
    reaper: Option<Session>,
}

impl Sessions {
    fn of(&self, identity: GcpIdentity) -> Option<&Session> {
        match identity {
            GcpIdentity::Bootstrap => self.bootstrap.as_ref(),
            GcpIdentity::Provisioner => self.provisioner.as_ref(),
            GcpIdentity::Reaper => self.reaper.as_ref(),
        }
    }
}

pub(super) async fn run(
    connector: &GcpConnector,
    connection: &Connection,
    spec: &GrantSpec,
    now: Timestamp,
    sink: &dyn CheckSink,
) -> Verification {
    let recorder = Recorder {
        clock: connector.clock.as_ref(),
        entropy: connector.entropy.as_ref(),
        settling: is_settling(&connection.state, now),
        sink,
    };
    let (gcp, grant) = match (connection.gcp(), super::granted(spec)) {
        (Ok(gcp), Ok(grant)) => (gcp, grant),
        (Err(wrong), _) => return impossible(&recorder, &wrong.into()),
        (_, Err(failure)) => return impossible(&recorder, &failure),
    };
    let run = Run {
        connector,
        connection: gcp,
        grant,
        recorder,
    };
    let entered = entry::enter(&run).await;
    let mut checks = entered.checks;
    let sessions = entered.sessions;

    checks.extend(make_ready(&run, &sessions).await);

    let mut rest: Vec<BoxFuture<'_, Vec<Check>>> = Vec::new();
    for group in &grant.permissions {
        rest.push(one(permissions::group(&run, group, &sessions)));
    }
    for identity in [GcpIdentity::Provisioner, GcpIdentity::Bootstrap] {
        if run.grant.account(identity).is_some() && connection.with_reaper {
            rest.push(one(permissions::cannot_become_reaper(
                &run, identity, &sessions,
            )));
        }
    }
    rest.push(quotas::check(&run, &sessions).boxed());
    rest.push(policies::check(&run, &sessions).boxed());
    let (rest, about) = futures::join!(few_at_once(rest), grant::check(&run, &sessions));
    checks.extend(rest);
    checks.extend(about.checks);
    Verification {
        checks,
        refused: entered.refused,
        grant_version: about.version,
        grant_digest: about.digest,
        ..Verification::default()
    }
}

/// What the bootstrap does itself. Each step looks before it acts, and what it
/// stands on comes before it.
async fn make_ready(run: &Run<'_>, sessions: &Sessions) -> Vec<Check> {
    let mut checks = project::check(run, sessions).await;
    let (on, check) = services::usage_is_on(run, sessions).await;
    checks.push(check);
    let bootstrap = sessions.bootstrap.as_ref().filter(|_| on);
    checks.extend(services::switch_on(run, bootstrap, services::Batch::Free).await);
    checks.push(project::billing(run, bootstrap).await);
    checks.extend(services::switch_on(run, bootstrap, services::Batch::Billed).await);
    checks.push(binding::provisioner(run, sessions).await);
    checks
}

fn one<'a>(check: impl Future<Output = Check> + Send + 'a) -> BoxFuture<'a, Vec<Check>> {
    check.map(|check| vec![check]).boxed()
}

/// Runs them six at a time and keeps their order.
async fn few_at_once(work: Vec<BoxFuture<'_, Vec<Check>>>) -> Vec<Check> {
    use futures::StreamExt;
    futures::stream::iter(work)
        .buffered(6)
        .flat_map(futures::stream::iter)
        .collect()
        .await
}

/// IAM is eventually consistent: for a while after the grant, a denial means
/// nothing. Before the grant was ever seen there is no deadline yet.
fn is_settling(state: &State, now: Timestamp) -> bool {
    match state {
        State::Pending { .. } => true,
        State::Propagating { deadline, .. } => now < *deadline,
        _ => false,
    }
}

fn impossible(recorder: &Recorder<'_>, failure: &Failure) -> Verification {
    let question = Question::new(
        "gcp.connection",
        "The connection is one to Google Cloud",
        "the connection's target",
    );
    let check = recorder.noted(
        question,
        Found::fail(&failure.message, "disconnect, and connect again"),
    );
    Verification {
        checks: vec![check],
        refused: false,
        grant_version: None,
        grant_digest: None,
        ..Verification::default()
    }
}

/// True for outcomes upon which other checks may stand.
fn holds(check: &Check) -> bool {
    matches!(check.outcome, Outcome::Pass | Outcome::Warn)
}
