use super::{find, grant, is_open, judge::judged, not_now, rotate, schedule, update};
use crate::{Actor, App, Permission, audit, failed, hub::Notice};
use landfall_model::{
    Timestamp,
    check::{Check, CheckRun, Outcome, Trigger},
    connection::{Connection, State},
    connector::CheckSink,
    error::Result,
    id::{CheckRunId, ConnectionId, OrganizationId},
    store::Write,
};
use serde_json::json;
use std::sync::Arc;

/// All checks, now. People and pages see each as it ends.
pub async fn verify(app: &App, actor: &Actor, id: &ConnectionId) -> Result<CheckRun> {
    let work = async {
        let connection = find(app, actor.organization_id(), id).await?;
        if !is_open(&connection) {
            return Err(not_now(&connection, "verified"));
        }
        run(app, &connection, Trigger::Request, Some(actor)).await
    };
    audit::attempt(app, actor, Permission::ConnectionVerify, id.as_str(), work).await
}

/// The worker's run; says when the next is due, `None` when there is none.
pub(crate) async fn scheduled_run(
    app: &App,
    organization: &OrganizationId,
    id: &ConnectionId,
) -> Result<Option<Timestamp>> {
    let connection = find(app, organization, id).await?;
    let trigger = app.triggers.take(id);
    match connection.state {
        State::Connected { .. } | State::Degraded { .. } => {}
        // Detection verifies these when it sees the grant.
        _ => return Ok(None),
    }
    if let Some(until) = app.breakers.open_until(id, app.now()) {
        return Ok(Some(until));
    }
    let found = run(app, &connection, trigger, None).await?;
    let connection = find(app, organization, id).await?;
    Ok(match connection.state {
        State::Connected { .. } | State::Degraded { .. } => {
            let silence = |check: &Check| check.outcome == Outcome::Unanswered;
            let answered = !found.checks.iter().any(silence);
            Some(schedule::next_verification(
                app,
                &connection.state,
                answered,
            ))
        }
        _ => None,
    })
}

/// Verifies unless that was done recently, so that a plan does not trust a
/// grant that was edited since.
pub(crate) async fn ensure_fresh(app: &App, connection: Connection) -> Result<Connection> {
    let newest = app
        .store
        .check_runs(&connection.organization_id, &connection.id, 1)
        .await
        .map_err(failed("reading the checks"))?;
    let oldest_accepted = app
        .now()
        .plus_millis(-schedule::millis(app.settings.planning.verified_within));
    if connection.state.can_provision()
        && newest
            .first()
            .is_some_and(|run| run.finished_at >= oldest_accepted)
    {
        return Ok(connection);
    }
    if let State::Connected { .. } | State::Degraded { .. } = connection.state {
        run(app, &connection, Trigger::Change, None).await?;
        return find(app, &connection.organization_id, &connection.id).await;
    }
    Ok(connection)
}

struct Live<'a> {
    app: &'a App,
    connection: &'a Connection,
}

impl CheckSink for Live<'_> {
    fn finished(&self, check: &Check) {
        let notice = Notice::Check {
            connection_id: self.connection.id.clone(),
            check: check.clone(),
        };
        self.app.hub.tell(&self.connection.organization_id, notice);
    }
}

/// Runs all checks, stores them and moves the connection's state by what they
/// found; with `asked_by`'s audit entry, if a person asked.
pub(super) async fn run(
    app: &App,
    connection: &Connection,
    trigger: Trigger,
    asked_by: Option<&Actor>,
) -> Result<CheckRun> {
    let _one_at_a_time = app.locks.lock(format!("verify/{}", connection.id)).await;
    // The run that was waited for may have changed it.
    let connection = &find(app, &connection.organization_id, &connection.id).await?;
    // Nor is an account asked that was given back while this run waited.
    if !is_open(connection) {
        return Err(not_now(connection, "verified"));
    }
    let started_at = app.now();
    let connector: Arc<_> = app.connector(connection.method())?.clone();
    // While it moves, both ways are granted, and either is as it should be.
    let also = connection.migration.as_ref().map(|to| to.target.method());
    let (_, spec) = grant::spec(app, connection, also).await?;
    // While nothing was granted yet, a denial is what IAM says before it has
    // settled: the checks are told so.
    let mut seen = connection.clone();
    if let State::Pending { .. } | State::Revoked { .. } = seen.state {
        seen.state = State::Propagating {
            since: started_at,
            deadline: deadline(app, started_at),
        };
    }
    let sink = Live { app, connection };
    let question = connector.verify(&seen, &spec, started_at, &sink);
    let verification = app
        .ask(connection, app.settings.verification.timeout, question)
        .await
        .map_err(|silence| silence.into_error(&format!("verifying {}", connection.scope())))?;
    let run = CheckRun {
        id: CheckRunId::at(started_at, &*app.entropy),
        organization_id: connection.organization_id.clone(),
        connection_id: connection.id.clone(),
        trigger,
        started_at,
        finished_at: app.now(),
        checks: verification.checks.clone(),
    };
    let updated = update(
        app,
        &connection.organization_id,
        &connection.id,
        |current| {
            let mut writes = vec![Write::InsertCheckRun(run.clone())];
            let mut next = judged(app, current.clone(), &verification);
            writes.extend(rotate::due(app, &mut next, &verification));
            if current.state.as_str() != next.state.as_str() {
                writes.extend(on_transition(app, &current, &next));
            }
            writes.extend(asked_by.map(|actor| {
                let detail = json!({ "outcome": run.outcome(), "checks": run.checks.len() });
                audit::entry(
                    app,
                    actor,
                    Permission::ConnectionVerify,
                    &run.connection_id,
                    detail,
                )
            }));
            Ok((next, writes))
        },
    )
    .await?;
    warn_of_expiry(app, &updated);
    if updated.state.can_provision() {
        app.engine.breakers().reset(&updated.id);
    }
    Ok(run)
}

/// For operators, who see the log and no page.
fn warn_of_expiry(app: &App, connection: &Connection) {
    let Some(expiry) = connection.expiry(app.now()) else {
        return;
    };
    if expiry.warning_days.is_some() {
        tracing::warn!(
            connection = %connection.id,
            expires_at = %expiry.at,
            days_left = expiry.days_left,
            "the secret of a connection ends"
        );
    }
}

pub(super) fn deadline(app: &App, now: Timestamp) -> Timestamp {
    now.plus_millis(schedule::millis(app.settings.detection.deadline))
}

/// What goes with a change of state: the audit entry and the next look.
pub(super) fn on_transition(app: &App, before: &Connection, after: &Connection) -> Vec<Write> {
    let detail = json!({ "from": before.state.as_str(), "to": after.state.as_str() });
    let mut writes = vec![audit::system_entry(
        app,
        &after.organization_id,
        "connection.state",
        &after.id,
        detail,
    )];
    if let Some((job, run_at)) = schedule::due(app, after) {
        writes.push(schedule::enqueue(app, after, job, run_at));
    }
    writes
}
