//! A rollout, driven to its end.

use crate::{
    engine::{Closing, Engine, EngineError, Interruption, RunEnd, Site, Stop},
    fold::{Ended, Logs},
    hands::{Caller, Provisioner},
    journal::{self, Journal},
    lease::{Heartbeat, LeaseLost},
    schedule::{Tally, schedule},
    world::World,
};
use landfall_model::{
    approval::ApprovedPlan,
    driver::Driver,
    journal::{EventKind, Stream},
    rollout::{Rollout, State},
    store::{StoreError, Write},
    work::Lease,
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

/// What to run, and under whose lease.
pub struct Run {
    pub approved: ApprovedPlan,
    pub rollout: Rollout,
    pub lease: Lease,
    /// The provisioner's: narrowed to a [`Provisioner`] at once.
    pub driver: Arc<dyn Driver>,
    pub site: Site,
    pub closing: Closing<Rollout>,
}

/// Drives a rollout from whatever its journal says to its end.
///
/// To cancel, commit the rollout as [`State::Canceling`]; to resume, as
/// [`State::Queued`], and enqueue its work again.
pub async fn run(engine: &Engine, run: Run) -> Result<RunEnd, EngineError> {
    let plan = run.approved.plan();
    if run.rollout.plan_id != plan.id || run.rollout.environment_id != plan.environment_id {
        return Err(EngineError::Mismatch {
            rollout: run.rollout.id.clone(),
            plan: plan.id.clone(),
        });
    }
    let heartbeat = Heartbeat::new(engine, run.lease.clone());
    let journal = Journal {
        engine,
        stream: Stream::Rollout(run.rollout.id.clone()),
        heartbeat: &heartbeat,
    };
    // Dropping the work is the right answer to a lost lease: it is a kill, and
    // whoever has the lease now recovers from it.
    let ended = tokio::select! {
        biased;
        LeaseLost = heartbeat.keep() => Err(Stop::LeaseLost),
        ended = drive(engine, &run, &journal) => ended,
    };
    match ended {
        Ok(end) => Ok(end),
        Err(Stop::LeaseLost) => Ok(RunEnd::Interrupted(Interruption::LeaseLost)),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Shutdown) => give_back(&journal).await,
    }
}

async fn give_back(journal: &Journal<'_>) -> Result<RunEnd, EngineError> {
    match postpone(journal).await {
        Ok(()) => Ok(RunEnd::Interrupted(Interruption::Shutdown)),
        Err(Stop::Error(error)) => Err(error),
        Err(_) => Ok(RunEnd::Interrupted(Interruption::LeaseLost)),
    }
}

pub(crate) async fn postpone(journal: &Journal<'_>) -> Result<(), Stop> {
    let write = Write::PostponeWork {
        lease: journal.heartbeat.lease(),
        run_at: journal.engine.now(),
    };
    journal.commit("give the work back", vec![write]).await
}

async fn drive(engine: &Engine, run: &Run, journal: &Journal<'_>) -> Result<RunEnd, Stop> {
    let plan = run.approved.plan();
    let mut logs = Logs::of(&journal.load().await?);
    let rollout = begin(engine, run, journal, &mut logs).await?;
    if rollout.state.is_over() {
        // Ended by somebody before it began, or its work was queued twice.
        let done = Write::CompleteWork {
            lease: journal.heartbeat.lease(),
        };
        journal.commit("complete the work", vec![done]).await?;
        return Ok(end_of(&rollout.state, &logs));
    }
    let caller = Caller {
        connection_id: run.site.connection_id.clone(),
        account_id: run.site.account_id.clone(),
        region: run.site.region.clone(),
        party: rollout.id.as_str().to_owned(),
    };
    let hands = Provisioner::new(run.driver.clone(), engine.clone(), caller);
    let records = engine
        .store
        .resources(&plan.environment_id)
        .await
        .map_err(Stop::store("read the recorded resources"))?;
    let retained = engine
        .store
        .retained_list(&plan.organization_id)
        .await
        .map_err(Stop::store("read the retained resources"))?;
    let world = World {
        engine,
        journal,
        hands: &hands,
        plan,
        site: &run.site,
        rollout_id: &run.rollout.id,
        canceling: AtomicBool::new(matches!(rollout.state, State::Canceling { .. })),
        records: Mutex::new(
            records
                .into_iter()
                .map(|record| (record.address.clone(), record))
                .collect(),
        ),
        retained: Mutex::new(
            retained
                .into_iter()
                .filter(|retained| retained.environment_id == plan.environment_id)
                .collect(),
        ),
    };
    let tally = tokio::select! {
        biased;
        tally = schedule(&world, &mut logs) => tally?,
        stop = watch_for_cancel(&world, &rollout) => return Err(stop),
    };
    finish(&world, rollout, tally, &run.closing).await
}

/// Running, with the event that says so.
async fn begin(
    engine: &Engine,
    run: &Run,
    journal: &Journal<'_>,
    logs: &mut Logs,
) -> Result<Rollout, Stop> {
    let mut rollout = run.rollout.clone();
    loop {
        if rollout.state.is_over() {
            return Ok(rollout);
        }
        let mut writes = Vec::new();
        let mut events = Vec::new();
        if matches!(rollout.state, State::Queued { .. }) {
            rollout.state = rollout
                .state
                .running(engine.now())
                .map_err(EngineError::from)?;
            rollout.version += 1;
            writes.push(Write::PutRollout(rollout.clone()));
        }
        if !logs.started {
            events.push(EventKind::Started);
        }
        if logs.finished {
            events.push(EventKind::Resumed);
        }
        writes.extend(events.iter().map(|kind| journal.entry(None, kind.clone())));
        if writes.is_empty() {
            return Ok(rollout);
        }
        match journal.commit("begin the rollout", writes).await {
            Ok(()) => {
                for kind in &events {
                    logs.apply(None, engine.now(), kind);
                }
                return Ok(rollout);
            }
            // Somebody asked to cancel in this moment.
            Err(Stop::Error(EngineError::Store {
                source: StoreError::Conflict { .. },
                ..
            })) => rollout = reload(engine, &rollout).await?,
            Err(stop) => return Err(stop),
        }
    }
}

async fn reload(engine: &Engine, rollout: &Rollout) -> Result<Rollout, Stop> {
    let found = engine
        .store
        .rollout(&rollout.organization_id, &rollout.id)
        .await
        .map_err(Stop::store("read the rollout"))?;
    found.ok_or_else(|| EngineError::Missing(rollout.id.clone()).into())
}

/// Returns only if the rollout cannot be read at all.
async fn watch_for_cancel(world: &World<'_>, rollout: &Rollout) -> Stop {
    let engine = world.engine;
    loop {
        engine
            .clock
            .sleep(engine.policy.poll.cancel_interval())
            .await;
        match reload(engine, rollout).await {
            Ok(seen) if matches!(seen.state, State::Canceling { .. }) => {
                world.canceling.store(true, Ordering::SeqCst);
                return std::future::pending().await;
            }
            Ok(_) => {}
            Err(Stop::Error(error @ EngineError::Store { .. })) => {
                tracing::warn!(%error, "could not look whether a cancel was asked for");
            }
            Err(stop) => return stop,
        }
    }
}

/// Ends the rollout and its work in one transaction: a resume that comes right
/// after enqueues anew instead of meeting a row that is about to go.
async fn finish(
    world: &World<'_>,
    mut rollout: Rollout,
    tally: Tally,
    closing: &Closing<Rollout>,
) -> Result<RunEnd, Stop> {
    let count = |items: usize| u32::try_from(items).unwrap_or(u32::MAX);
    if world.is_canceling() {
        // The watch saw it; our copy may be older.
        rollout = reload(world.engine, &rollout).await?;
    }
    let mut conflicts = 0;
    loop {
        let now = world.engine.now();
        let canceling = matches!(rollout.state, State::Canceling { .. });
        let all_done = tally.failed.is_empty() && tally.blocked.is_empty() && tally.left.is_empty();
        let (state, end) = if all_done {
            (rollout.state.succeeded(now), RunEnd::Succeeded)
        } else if canceling {
            (rollout.state.canceled(now), RunEnd::Canceled)
        } else {
            let blocked = count(tally.blocked.len());
            let failed = tally.failed.clone();
            (
                rollout.state.failed(now, count(failed.len()), blocked),
                RunEnd::Failed { failed, blocked },
            )
        };
        rollout.state = state.map_err(EngineError::from)?;
        rollout.version += 1;
        let outcome = rollout.state.as_str().to_owned();
        let mut writes = vec![
            Write::PutRollout(rollout.clone()),
            world
                .journal
                .entry(None, EventKind::Finished { outcome, why: None }),
            Write::CompleteWork {
                lease: world.journal.heartbeat.lease(),
            },
        ];
        writes.extend(closing(&rollout));
        match world.journal.commit("end the rollout", writes).await {
            Ok(()) => return Ok(end),
            // A cancel came in between: it decides how this ends.
            Err(Stop::Error(EngineError::Store {
                source: StoreError::Conflict { .. },
                ..
            })) if conflicts < 3 => {
                conflicts += 1;
                rollout = reload(world.engine, &rollout).await?;
            }
            Err(stop) => return Err(stop),
        }
    }
}

fn end_of(state: &State, logs: &Logs) -> RunEnd {
    match state {
        State::Succeeded { .. } => RunEnd::Succeeded,
        State::Canceled { .. } => RunEnd::Canceled,
        _ => RunEnd::Failed {
            failed: logs
                .nodes
                .iter()
                .filter_map(|(address, log)| match &log.ended {
                    Some(Ended::Failed(failure)) => Some((address.clone(), failure.clone())),
                    _ => None,
                })
                .collect(),
            blocked: match state {
                State::Failed { blocked, .. } => *blocked,
                _ => 0,
            },
        },
    }
}

/// For a rollout of another stream: its journal, folded.
pub(crate) async fn logs_of(engine: &Engine, stream: &Stream) -> Result<Logs, Stop> {
    let events = journal::load(engine.store.as_ref(), stream).await?;
    Ok(Logs::of(&events))
}
