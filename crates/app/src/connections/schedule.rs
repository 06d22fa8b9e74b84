//! When Landfall looks at an account by itself.

use super::{find, is_open, migrate, rotate};
use crate::{App, failed};
use landfall_model::{
    Timestamp,
    check::Trigger,
    connection::{Connection, State},
    error::Result,
    id::{ConnectionId, OrganizationId, WorkId},
    store::Write,
    work::{Job, NewWork},
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Why a queued verification was asked for. Lost with the process: then the
/// run is recorded as scheduled, which is all that a later reader misses.
#[derive(Default)]
pub(crate) struct Triggers(Mutex<HashMap<ConnectionId, Trigger>>);

impl Triggers {
    fn set(&self, connection: &ConnectionId, trigger: Trigger) {
        let mut triggers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        triggers.insert(connection.clone(), trigger);
    }

    pub(super) fn take(&self, connection: &ConnectionId) -> Trigger {
        let mut triggers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        triggers.remove(connection).unwrap_or(Trigger::Schedule)
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// `pause` from now, give or take a fifth, so that a thousand connections made
/// in one minute are not verified in one minute for ever.
pub(super) fn jittered(app: &App, pause: Duration) -> Timestamp {
    let pause = millis(pause);
    let spread = u64::try_from(pause / 5 * 2).unwrap_or(0);
    let shift = i64::try_from(app.entropy.below(spread)).unwrap_or(0);
    app.now().plus_millis(pause - pause / 5 + shift)
}

pub(super) fn enqueue(app: &App, connection: &Connection, job: Job, run_at: Timestamp) -> Write {
    Write::Enqueue(NewWork {
        id: WorkId::at(app.now(), &*app.entropy),
        organization_id: connection.organization_id.clone(),
        job,
        run_at,
    })
}

pub(super) fn detect(connection: &Connection) -> Job {
    Job::Detect {
        connection_id: connection.id.clone(),
    }
}

pub(super) fn verify(connection: &Connection) -> Job {
    Job::Verify {
        connection_id: connection.id.clone(),
    }
}

/// When the next scheduled verification is due, by how the last one ended.
pub(super) fn next_verification(app: &App, state: &State, answered: bool) -> Timestamp {
    let pause = match state {
        State::Degraded { .. } => app.settings.verification.degraded,
        _ if !answered => app.settings.verification.degraded,
        _ => app.settings.verification.interval,
    };
    jittered(app, pause)
}

/// What must be queued for a connection in this state, and when.
pub(super) fn due(app: &App, connection: &Connection) -> Option<(Job, Timestamp)> {
    let pauses = &app.settings.detection;
    match &connection.state {
        State::Pending { since } => {
            // A tenth of the time waited: seconds while the person is at it,
            // minutes when they went home.
            let waited = u64::try_from(app.now().millis_since(*since)).unwrap_or(0);
            let pause = Duration::from_millis(waited / 10).clamp(pauses.shortest, pauses.longest);
            Some((detect(connection), jittered(app, pause)))
        }
        State::Propagating { .. } => Some((detect(connection), jittered(app, pauses.propagating))),
        State::Revoked { .. } => Some((detect(connection), jittered(app, pauses.revoked))),
        State::Connected { .. } | State::Degraded { .. } => Some((
            verify(connection),
            next_verification(app, &connection.state, true),
        )),
        State::Disconnected { .. } => None,
    }
}

/// Asks the worker to verify now, because of `trigger`.
pub(super) fn verify_now(app: &App, connection: &Connection, trigger: Trigger) -> Write {
    app.triggers.set(&connection.id, trigger);
    enqueue(app, connection, verify(connection), app.now())
}

/// Queues what is missing for every connection. A job and the state that needs
/// it are committed together, so nothing should be; but a connection that
/// nobody looks at would stay so for ever, and this is cheap.
pub(crate) async fn ensure_looked_after(app: &App) -> Result<()> {
    let operation = "checking the schedule";
    for organization in app.store.organizations().await.map_err(failed(operation))? {
        let connections = app
            .store
            .connections(&organization.id)
            .await
            .map_err(failed(operation))?;
        for connection in connections.iter().filter(|one| is_open(one)) {
            let moving = connection
                .migration
                .as_ref()
                .map(|_| (migrate::job(connection), app.now()));
            let rotating = connection.rotation.as_ref().filter(|one| one.is_open());
            let rotating = rotating.map(|_| (rotate::job(connection), app.now()));
            let all = due(app, connection).into_iter();
            for (job, run_at) in all.chain(moving).chain(rotating) {
                let queued = app.store.scheduled(&job).await.map_err(failed(operation))?;
                if queued.is_none() {
                    let work = enqueue(app, connection, job, run_at);
                    app.commit(operation, vec![work]).await?;
                }
            }
        }
    }
    Ok(())
}

/// Something failed in the account in a way that the grant may explain.
pub(crate) async fn after_failure(
    app: &App,
    organization: &OrganizationId,
    id: &ConnectionId,
) -> Result<()> {
    let connection = find(app, organization, id).await?;
    match connection.state {
        State::Connected { .. } | State::Degraded { .. } => {
            let work = verify_now(app, &connection, Trigger::Failure);
            app.commit("scheduling a verification", vec![work]).await
        }
        _ => Ok(()),
    }
}
