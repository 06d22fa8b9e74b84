//! Durable work: rows that are claimed under a lease and driven to their end.
//!
//! Several processes may run one each: the database hands a row to one of them,
//! and fences those whose lease was taken over.

mod check;
mod destruction;
mod fair;
mod patience;
mod rollout;

pub(crate) use patience::Silences;

use crate::{App, connections, failed};
use fair::Turns;
use landfall_engine::Heartbeat;
use landfall_model::{
    Timestamp,
    error::Result,
    store::{StoreError, Write},
    work::{Job, Lease},
};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What takes minutes must not make what takes seconds wait, so each has
/// claimers of its own.
const RUNS: &[&str] = &["rollout", "destruction"];
const CHECKS: &[&str] = &["detect", "verify", "migrate", "rotate"];

/// How often what grew is swept, and how often the schedule is checked.
const SWEEP: Duration = Duration::from_secs(60);
const LOOK_AFTER: Duration = Duration::from_secs(600);
/// After an error that says nothing about when it will be over.
const RETRY: Duration = Duration::from_secs(10);

/// Claims and does due work until `shutdown`; then gives running work back, so
/// that another process goes on at once, and returns. Streams end, too.
pub async fn run(app: Arc<App>, shutdown: CancellationToken) {
    let settings = app.settings.worker.clone();
    let turns = Turns::new(settings.per_organization);
    let runs = claim_all(app.clone(), RUNS, settings.runs, turns.clone());
    let checks = claim_all(app.clone(), CHECKS, settings.checks, turns);
    let end = async {
        shutdown.cancelled().await;
        app.closing.cancel();
    };
    tokio::join!(runs, checks, look_after(&app), end);
}

async fn look_after(app: &App) {
    let mut sweep = tokio::time::interval(SWEEP);
    let mut schedule = tokio::time::interval(LOOK_AFTER);
    loop {
        tokio::select! {
            () = app.closing.cancelled() => return,
            _ = sweep.tick() => app.limits.sweep(),
            _ = schedule.tick() => {
                if let Err(error) = connections::ensure_looked_after(app).await {
                    tracing::warn!(%error, "the schedule could not be checked");
                }
            }
        }
    }
}

async fn claim_all(app: Arc<App>, kinds: &'static [&'static str], most: usize, turns: Turns) {
    let mut running = JoinSet::new();
    let mut enqueued = app.hub.work.subscribe();
    while !app.closing.is_cancelled() {
        while let Some(ended) = running.try_join_next() {
            note(ended);
        }
        if running.len() >= most {
            tokio::select! {
                () = app.closing.cancelled() => {}
                Some(ended) = running.join_next() => note(ended),
            }
            continue;
        }
        enqueued.mark_unchanged();
        match claim(&app, kinds, &turns).await {
            Ok(Some((lease, turn))) => {
                let app = app.clone();
                running.spawn(async move {
                    let _turn = turn;
                    work(&app, lease).await;
                });
            }
            // What this process enqueues wakes it; what others do is found by
            // looking.
            Ok(None) => tokio::select! {
                () = app.closing.cancelled() => {}
                _ = enqueued.changed() => {}
                () = tokio::time::sleep(app.settings.worker.poll) => {}
            },
            Err(error) => {
                tracing::warn!(%error, "work could not be claimed");
                tokio::select! {
                    () = app.closing.cancelled() => {}
                    () = tokio::time::sleep(Duration::from_secs(2)) => {}
                }
            }
        }
    }
    while let Some(ended) = running.join_next().await {
        note(ended);
    }
}

/// A panic is a bug; the row's lease runs out and somebody tries again.
fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "work stopped unexpectedly");
    }
}

/// A due row whose organization has a turn. `None`: nothing to do now.
async fn claim(
    app: &App,
    kinds: &[&str],
    turns: &Turns,
) -> Result<Option<(Lease, fair::Turn)>, StoreError> {
    loop {
        let now = app.now();
        let length = app.settings.engine.lease.length;
        let until = now.plus_millis(millis(length));
        let Some(lease) = app.store.claim(kinds, now, until).await? else {
            return Ok(None);
        };
        match turns.take(&lease.organization_id) {
            Some(turn) => return Ok(Some((lease, turn))),
            // Its organization has enough running: later, and whoever is next
            // now.
            None => {
                let pause = Duration::from_millis(3_000 + app.entropy.below(6_000));
                postpone(app, &lease, later(app, pause)).await?;
            }
        }
    }
}

async fn work(app: &App, lease: Lease) {
    let job = lease.job.clone();
    let ended = match &job {
        Job::Rollout { rollout_id } => rollout::drive(app, &lease, rollout_id).await,
        Job::Destruction { retained_id, .. } => destruction::drive(app, &lease, retained_id).await,
        Job::Detect { connection_id } => check::detect(app, &lease, connection_id).await,
        Job::Verify { connection_id } => check::verify(app, &lease, connection_id).await,
        Job::Migrate { connection_id } => check::migrate(app, &lease, connection_id).await,
        Job::Rotate { connection_id } => check::rotate(app, &lease, connection_id).await,
    };
    if let Err(error) = ended {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(job = %job.key(), code = %error.code, cause, "work could not go on: {error}");
        // If this fails, too, the lease runs out.
        let _ = postpone(app, &lease, later(app, RETRY)).await;
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn later(app: &App, pause: Duration) -> Timestamp {
    app.now().plus_millis(millis(pause))
}

async fn postpone(app: &App, lease: &Lease, run_at: Timestamp) -> Result<(), StoreError> {
    let write = Write::PostponeWork {
        lease: lease.clone(),
        run_at,
    };
    app.store.commit(vec![write]).await
}

async fn complete(app: &App, lease: &Lease) -> Result<()> {
    let write = Write::CompleteWork {
        lease: lease.clone(),
    };
    fenced_is_fine(app.store.commit(vec![write]).await)
}

/// Somebody else has the work now, and will end it.
fn fenced_is_fine(ended: Result<(), StoreError>) -> Result<()> {
    match ended {
        Err(StoreError::Fenced { .. }) => Ok(()),
        ended => ended.map_err(failed("ending the work")),
    }
}

/// Does `job` with its lease kept alive. `None`: it was not finished, because
/// the lease was lost or the server stops; in the latter case it was given
/// back.
async fn kept<T>(app: &App, lease: &Lease, job: impl Future<Output = T>) -> Option<T> {
    let heartbeat = Heartbeat::new(&app.engine, lease.clone());
    tokio::select! {
        biased;
        _ = heartbeat.keep() => None,
        () = app.closing.cancelled() => {
            let _ = postpone(app, lease, app.now()).await;
            None
        }
        ended = job => Some(ended),
    }
}
