use super::{find, grant, is_open, not_now, schedule, update};
use crate::{Actor, App, Permission, audit, failed, hub::Notice};
use landfall_model::{
    Timestamp,
    check::{Check, CheckRun, Outcome, Trigger},
    connection::{Connection, State},
    connector::{CheckSink, Verification},
    driver::Failure,
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
        let run = run(app, &connection, Trigger::Request).await?;
        let detail = json!({ "outcome": run.outcome(), "checks": run.checks.len() });
        let entry = audit::entry(app, actor, Permission::ConnectionVerify, id, detail);
        app.commit("recording the verification", vec![entry])
            .await?;
        Ok(run)
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
    run(app, &connection, trigger).await?;
    let connection = find(app, organization, id).await?;
    Ok(match connection.state {
        State::Connected { .. } | State::Degraded { .. } => {
            Some(schedule::next_verification(app, &connection.state))
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
        run(app, &connection, Trigger::Change).await?;
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
/// found.
pub(super) async fn run(app: &App, connection: &Connection, trigger: Trigger) -> Result<CheckRun> {
    let _one_at_a_time = app.locks.lock(format!("verify/{}", connection.id)).await;
    let started_at = app.now();
    let connector: Arc<_> = app.connector(connection.method)?.clone();
    let (_, spec) = grant::spec(&connector, connection).await?;
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
    let question =
        async { Ok::<_, Failure>(connector.verify(&seen, &spec, started_at, &sink).await) };
    let verification = app
        .ask(connection, app.settings.verification.timeout, question)
        .await
        .map_err(|silence| silence.into_error(&format!("verifying {}", connection.account_id)))?;
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
            let next = judged(app, current.clone(), &verification);
            if current.state.as_str() != next.state.as_str() {
                writes.extend(on_transition(app, &current, &next));
            }
            Ok((next, writes))
        },
    )
    .await?;
    if updated.state.can_provision() {
        app.engine.breakers().reset(&updated.id);
    }
    Ok(run)
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

/// The connection after a verification.
fn judged(app: &App, mut connection: Connection, found: &Verification) -> Connection {
    let now = app.now();
    let before = connection.state.clone();
    let state = next_state(before.clone(), found, now, deadline(app, now));
    // A transition that the lifecycle refuses (it was disconnected meanwhile)
    // changes nothing.
    connection.state = state.unwrap_or(before);
    if !found.refused && found.grant_version.is_some() {
        let upgraded = connection.grant_version != found.grant_version;
        connection.grant_version = found.grant_version;
        let settled = matches!(connection.state, State::Connected { .. });
        // The digest is what later runs compare with. It moves only with a new
        // version or after the grant was made again: else an edit by hand
        // would be reported once and then forgotten.
        if settled && (upgraded || connection.grant_digest.is_none()) {
            connection.grant_digest.clone_from(&found.grant_digest);
        }
    }
    if let State::Revoked { .. } = connection.state {
        connection.grant_digest = None;
    }
    connection
}

fn next_state(
    state: State,
    found: &Verification,
    now: Timestamp,
    deadline: Timestamp,
) -> Result<State, landfall_model::connection::InvalidTransition> {
    let having = |outcome: Outcome| {
        found
            .checks
            .iter()
            .filter(move |check| check.outcome == outcome)
    };
    if found.refused {
        return match state {
            State::Pending { .. } => Ok(state),
            State::Propagating { deadline, .. } if now < deadline => Ok(state),
            _ => {
                let reason = having(Outcome::Fail)
                    .chain(having(Outcome::Propagating))
                    .next()
                    .map_or("the roles refuse this server", |check| &check.evidence);
                state.revoked(now, reason.to_owned())
            }
        };
    }
    let ids = |outcome| having(outcome).map(|check| check.id.clone()).collect();
    let failed: Vec<String> = ids(Outcome::Fail);
    let settling: Vec<String> = ids(Outcome::Propagating);
    match state {
        _ if !failed.is_empty() => state.degraded(now, failed),
        State::Propagating { deadline, .. } if !settling.is_empty() && now >= deadline => {
            state.degraded(now, settling)
        }
        State::Pending { .. } | State::Revoked { .. } | State::Propagating { .. }
            if !settling.is_empty() =>
        {
            state.propagating(now, deadline)
        }
        // Already in use: what has not settled is looked at again on schedule.
        State::Degraded { .. } if !settling.is_empty() => Ok(state),
        _ => state.connected(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn found(outcomes: &[Outcome], refused: bool) -> Verification {
        Verification {
            checks: outcomes
                .iter()
                .enumerate()
                .map(|(index, outcome)| Check {
                    id: format!("aws.check-{index}"),
                    title: String::new(),
                    outcome: *outcome,
                    asked: String::new(),
                    evidence: "AccessDenied".to_owned(),
                    remedy: String::new(),
                    millis: 1,
                })
                .collect(),
            refused,
            grant_version: Some(1),
            grant_digest: None,
        }
    }

    fn next(state: State, found: &Verification, now: i64) -> State {
        next_state(state, found, at(now), at(now + 100)).unwrap()
    }

    #[test]
    fn a_refusal_counts_only_after_a_grant_and_its_deadline() {
        let refused = found(&[Outcome::Fail, Outcome::Skipped], true);
        let pending = State::Pending { since: at(0) };
        assert_eq!(next(pending.clone(), &refused, 5), pending);
        let propagating = State::Propagating {
            since: at(0),
            deadline: at(10),
        };
        assert_eq!(next(propagating.clone(), &refused, 9), propagating);
        assert_eq!(next(propagating, &refused, 10).as_str(), "revoked");
        let connected = State::Connected { since: at(0) };
        let revoked = next(connected, &refused, 5);
        assert_eq!(
            revoked,
            State::Revoked {
                since: at(5),
                reason: "AccessDenied".to_owned()
            }
        );
    }

    #[test]
    fn what_has_not_settled_degrades_only_after_the_deadline() {
        let settling = found(&[Outcome::Pass, Outcome::Propagating], false);
        let pending = State::Pending { since: at(0) };
        let propagating = next(pending, &settling, 5);
        assert_eq!(
            propagating,
            State::Propagating {
                since: at(5),
                deadline: at(105)
            }
        );
        assert_eq!(next(propagating.clone(), &settling, 50), propagating);
        assert_eq!(
            next(propagating, &settling, 105),
            State::Degraded {
                since: at(105),
                failed_checks: vec!["aws.check-1".to_owned()]
            }
        );
    }

    #[test]
    fn warnings_connect_and_failures_degrade() {
        let warned = found(&[Outcome::Pass, Outcome::Warn], false);
        let pending = State::Pending { since: at(0) };
        assert_eq!(next(pending.clone(), &warned, 5).as_str(), "connected");
        let failing = found(&[Outcome::Pass, Outcome::Fail], false);
        assert_eq!(next(pending, &failing, 5).as_str(), "degraded");
        let revoked = State::Revoked {
            since: at(0),
            reason: String::new(),
        };
        assert_eq!(next(revoked, &warned, 5).as_str(), "connected");
    }
}
