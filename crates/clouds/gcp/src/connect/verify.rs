//! All checks of a connection.
//!
//! First that Google takes our token and refuses others; by a key, that what is
//! missing is made; then that we may act as each account of the grant; then, as
//! the bootstrap, what is switched on and bound; then everything else side by
//! side.

mod binding;
mod entry;
mod grant;
mod lifetime;
mod permissions;
mod policies;
mod policy;
mod project;
pub(super) mod quotas;
mod recorder;
mod services;
pub(super) mod setup;

use super::GcpConnector;
use crate::{door::Door, http::Session};
use futures::{FutureExt, future::BoxFuture};
use landfall_model::check::{self, Found, Question};
use landfall_model::{
    Timestamp,
    check::{Check, Outcome},
    connection::{Connection, GcpConnection},
    connector::{CheckSink, Verification},
    driver::Failure,
    grant::{GcpGrant, GcpIdentity, GrantSpec},
};
use recorder::{Recorder, no_session};

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
    let recorder = Recorder::new(
        check::Recorder {
            clock: connector.clock.as_ref(),
            entropy: connector.entropy.as_ref(),
            sink,
        },
        connection.state.is_settling(now),
    );
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
    let arrived = entry::arrive(&run).await;
    let mut checks = arrived.checks;
    let entry = arrived.session.as_ref();
    let mut setup = match &connector.door {
        Door::Key(_) => Some(setup::run(&run, entry).await),
        Door::Federation(_) | Door::Account(_) => None,
    };
    if let Some(setup) = &mut setup {
        checks.append(&mut setup.checks);
    }
    let (refusals, entered) =
        futures::join!(entry::refusals(&run, entry), entry::enter(&run, entry));
    checks.extend(refusals);
    checks.extend(entered.checks);
    let sessions = entered.sessions;
    let observer = setup.as_ref().and_then(setup::Setup::observer);
    checks.extend(make_ready(&run, &sessions, observer).await);
    let mut too_broad = false;
    if let Some(setup) = &setup {
        let check = setup::narrow_down(&run, setup, &sessions).await;
        too_broad = check.outcome == Outcome::Warn;
        checks.push(check);
    }
    let mut secret = None;
    if let Some((check, held)) = lifetime::in_use(&run, &sessions).await {
        checks.push(check);
        secret = held;
    }
    let mut left_behind_gone = false;
    if let Some((check, gone)) = lifetime::left_behind(&run, &sessions).await {
        checks.push(check);
        left_behind_gone = gone;
    }

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
    too_broad |= rest.iter().any(one_key) || about.unconfined;
    checks.extend(rest);
    checks.extend(about.checks);
    Verification {
        checks,
        refused: arrived.refused || entered.refused,
        grant_version: about.version,
        grant_digest: about.digest,
        too_broad,
        secret,
        left_behind_gone,
        ..Verification::default()
    }
}

/// What the bootstrap does itself. Each step looks before it acts, and what it
/// stands on comes before it. `observer` sees the project where the bootstrap
/// cannot yet.
async fn make_ready(run: &Run<'_>, sessions: &Sessions, observer: Option<&Session>) -> Vec<Check> {
    use services::Batch::{Billed, Free};
    let bootstrap = sessions.bootstrap.as_ref();
    let observer = bootstrap.or(observer);
    // The role is bound before APIs are switched on: that makes Google write
    // the project's policy, too.
    let (mut checks, (on, usage), free, billed, (bound, acted)) = futures::join!(
        project::check(run, observer),
        services::usage_is_on(run, observer),
        services::look(run, bootstrap, Free),
        services::look(run, bootstrap, Billed),
        binding::provisioner(run, sessions),
    );
    // Not before: what ran beside it was not denied by its change.
    if acted {
        run.recorder.acted();
    }
    checks.push(usage);
    let bootstrap = bootstrap.filter(|_| on);
    checks.extend(services::switch_on(run, bootstrap, Free, free).await);
    checks.push(project::billing(run, bootstrap).await);
    checks.extend(services::switch_on(run, bootstrap, Billed, billed).await);
    checks.push(bound);
    checks
}

fn one<'a>(check: impl Future<Output = Check> + Send + 'a) -> BoxFuture<'a, Vec<Check>> {
    check.map(|check| vec![check]).boxed()
}

/// Runs some at a time and keeps their order.
async fn few_at_once(work: Vec<BoxFuture<'_, Vec<Check>>>) -> Vec<Check> {
    use futures::StreamExt;
    futures::stream::iter(work)
        .buffered(16)
        .flat_map(futures::stream::iter)
        .collect()
        .await
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

/// Whether a check has found that the provisioner needs nobody else to destroy:
/// it may itself, or may give itself the right, or may act as the reaper, or the
/// bootstrap may.
fn one_key(check: &Check) -> bool {
    const ENOUGH: [&str; 8] = [
        "gcp.refused.provisioner-no-destruction",
        "gcp.refused.provisioner-no-reaper",
        "gcp.refused.provisioner-no-widening",
        "gcp.refused.provisioner-no-parent",
        "gcp.refused.bootstrap-no-destruction",
        "gcp.refused.bootstrap-no-reaper",
        "gcp.refused.bootstrap-no-widening",
        "gcp.refused.bootstrap-no-parent",
    ];
    check.outcome == Outcome::Fail && ENOUGH.contains(&check.id.as_str())
}

/// True for outcomes upon which other checks may stand.
fn holds(check: &Check) -> bool {
    matches!(check.outcome, Outcome::Pass | Outcome::Warn)
}
