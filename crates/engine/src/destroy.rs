//! One approved destruction, driven to its end.

use crate::{
    attempt::{Attempts, Outcome},
    backoff,
    engine::{Closing, Engine, EngineError, Interruption, Stop, Trouble},
    fold::{Logs, NodeLog},
    hands::{Caller, Reaper},
    journal::Journal,
    lease::{Heartbeat, LeaseLost},
    protection,
    run::postpone,
};
use landfall_model::{
    approval::ApprovedDestruction,
    driver::{Driver, Failure, FailureKind},
    journal::{Call, EventKind, Stream},
    retained::Retained,
    store::Write,
    work::Lease,
};
use std::sync::{Arc, atomic::AtomicBool};

/// What to destroy, and under whose lease.
pub struct Destroy {
    pub approved: ApprovedDestruction,
    pub lease: Lease,
    /// The reaper's, narrowed to the resource; and to a [`Reaper`] at once.
    pub driver: Arc<dyn Driver>,
    pub closing: Closing<Retained>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestroyEnd {
    /// Read as absent; it may have been gone before.
    Destroyed,
    /// Still there, and still retained.
    Failed(Failure),
    Interrupted(Interruption),
}

/// Switches protection off, deletes, and reads that it is gone.
pub async fn destroy(engine: &Engine, destroy: Destroy) -> Result<DestroyEnd, EngineError> {
    let heartbeat = Heartbeat::new(engine, destroy.lease.clone());
    let journal = Journal {
        engine,
        stream: Stream::Destruction(destroy.approved.destruction_id().clone()),
        heartbeat: &heartbeat,
    };
    let ended = tokio::select! {
        biased;
        LeaseLost = heartbeat.keep() => Err(Stop::LeaseLost),
        ended = drive(engine, &destroy, &journal) => ended,
    };
    let stop = match ended {
        Ok(end) => return Ok(end),
        Err(Stop::Shutdown) => match postpone(&journal).await {
            Ok(()) => return Ok(DestroyEnd::Interrupted(Interruption::Shutdown)),
            Err(stop) => stop,
        },
        Err(stop) => stop,
    };
    match stop {
        Stop::Error(error) => Err(error),
        Stop::LeaseLost | Stop::Shutdown => Ok(DestroyEnd::Interrupted(Interruption::LeaseLost)),
    }
}

async fn drive(
    engine: &Engine,
    destroy: &Destroy,
    journal: &Journal<'_>,
) -> Result<DestroyEnd, Stop> {
    let retained = destroy.approved.retained();
    let mut logs = Logs::of(&journal.load().await?);
    if !logs.started {
        let started = journal.entry(None, EventKind::Started);
        journal
            .commit("begin the destruction", vec![started])
            .await?;
    }
    let caller = Caller {
        connection_id: retained.connection_id.clone(),
        account_id: retained.account_id.clone(),
        region: retained.region.clone(),
        party: destroy.approved.destruction_id().as_str().to_owned(),
    };
    let hands = Reaper::new(destroy.driver.clone(), engine.clone(), caller);
    let canceling = AtomicBool::new(false);
    let mut reaping = Reaping {
        engine,
        retained,
        attempts: Attempts {
            engine,
            journal,
            hands: &hands,
            address: &retained.address,
            canceling: &canceling,
        },
        log: logs.nodes.remove(&retained.address).unwrap_or_default(),
    };
    let end = match reaping.reap().await {
        Ok(()) => DestroyEnd::Destroyed,
        Err(Trouble::Failure(failure)) => DestroyEnd::Failed(explain(retained, failure)),
        Err(Trouble::Stop(stop)) => return Err(stop),
    };
    finish(journal, destroy, end).await
}

async fn finish(
    journal: &Journal<'_>,
    destroy: &Destroy,
    end: DestroyEnd,
) -> Result<DestroyEnd, Stop> {
    let mut retained = destroy.approved.retained().clone();
    let now = journal.engine.now();
    let (state, event) = match &end {
        DestroyEnd::Failed(failure) => (
            retained.state.destruction_failed(now, failure.clone()),
            EventKind::Failed {
                failure: failure.clone(),
            },
        ),
        DestroyEnd::Destroyed | DestroyEnd::Interrupted(_) => (
            retained.state.destroyed(now),
            EventKind::Destroyed {
                identifier: retained.identifier.clone(),
            },
        ),
    };
    retained.state = state.map_err(EngineError::from)?;
    retained.version += 1;
    let outcome = retained.state.as_str().to_owned();
    let mut writes = vec![
        Write::PutRetained(retained.clone()),
        journal.entry(Some(&retained.address), event),
        journal.entry(None, EventKind::Finished { outcome, why: None }),
        Write::CompleteWork {
            lease: journal.heartbeat.lease(),
        },
    ];
    writes.extend((destroy.closing)(&retained));
    journal.commit("end the destruction", writes).await?;
    Ok(end)
}

struct Reaping<'a> {
    engine: &'a Engine,
    retained: &'a Retained,
    attempts: Attempts<'a, Reaper>,
    log: NodeLog,
}

impl Reaping<'_> {
    async fn reap(&mut self) -> Result<(), Trouble> {
        self.check_unused().await?;
        let mut doubtful = true;
        loop {
            if self.log.open().is_none() {
                doubtful = false;
                let Some(call) = self.next_call().await? else {
                    return Ok(());
                };
                self.attempts
                    .intend(&mut self.log, &self.retained.type_name, call)
                    .await?;
            }
            let outcome = self.attempts.drive(&mut self.log, doubtful).await?;
            self.after(outcome).await?;
        }
    }

    /// It was approved as retained. If it came into use again since, it is not
    /// what the person said yes to.
    async fn check_unused(&self) -> Result<(), Trouble> {
        let used = self
            .engine
            .store
            .resources(&self.retained.environment_id)
            .await
            .map_err(Stop::store("read the recorded resources"))?;
        let user = used.into_iter().find(|resource| {
            resource.type_name == self.retained.type_name
                && resource.identifier == self.retained.identifier
        });
        match user {
            None => Ok(()),
            Some(resource) => Err(Failure::new(
                FailureKind::Protected,
                "InUseAgain",
                format!(
                    "{} is in use again as {}: forget it here instead",
                    self.retained.identifier, resource.address
                ),
            )
            .into()),
        }
    }

    /// `None` when it is gone.
    async fn next_call(&self) -> Result<Option<Call>, Trouble> {
        let retained = self.retained;
        let Some(observed) = self.read_settled().await? else {
            return Ok(None);
        };
        let identifier = retained.identifier.clone();
        let patch = protection::switch_off(&retained.type_name, &observed.properties);
        Ok(Some(if patch.is_empty() {
            Call::Delete { identifier }
        } else {
            Call::Update { identifier, patch }
        }))
    }

    /// Reads, and after a deletion that succeeded waits for the read to agree.
    /// Absent counts when it is read twice: a ledger must not lose what is
    /// there because of one odd answer.
    async fn read_settled(&self) -> Result<Option<landfall_model::driver::Observed>, Trouble> {
        let retained = self.retained;
        let deleted = self.log.last.as_ref().is_some_and(|last| {
            matches!(last.request, Call::Delete { .. }) && matches!(last.over, Some(Ok(())))
        });
        let policy = &self.engine.policy.retry;
        let (mut absent, mut looks) = (0, 0);
        loop {
            let seen = self
                .attempts
                .read(&retained.type_name, &retained.identifier)
                .await?;
            looks += 1;
            match seen {
                None if absent == 1 => return Ok(None),
                None => absent += 1,
                Some(observed) if !deleted || looks >= policy.reads => return Ok(Some(observed)),
                Some(_) => absent = 0,
            }
            let wait = backoff::delay(policy, self.engine.entropy.as_ref(), looks);
            self.engine.pause(wait).await?;
        }
    }

    async fn after(&mut self, outcome: Outcome) -> Result<(), Trouble> {
        let Some(attempt) = self.log.open().map(|open| open.number) else {
            return Ok(());
        };
        let (event, verdict) = match outcome {
            Outcome::Succeeded { .. } => {
                let identifier = self.retained.identifier.clone();
                let event = EventKind::Succeeded {
                    attempt,
                    identifier,
                };
                (event, None)
            }
            // The next read decides.
            Outcome::Lost => {
                let failure = Failure::new(
                    FailureKind::Forgotten,
                    "Forgotten",
                    "the cloud cannot say how this attempt ended; Landfall looked instead",
                );
                (EventKind::AttemptFailed { attempt, failure }, None)
            }
            Outcome::Unfinished { failure } => return Err(failure.into()),
            Outcome::Failed { failure, certain } => {
                if !certain {
                    let seen = self
                        .attempts
                        .read(&self.retained.type_name, &self.retained.identifier)
                        .await;
                    // Perhaps a deletion is under way: another one would be
                    // refused as busy, so leaving the attempt open is safe.
                    if !matches!(seen, Ok(None)) {
                        return Err(failure.into());
                    }
                }
                let gone = failure.kind == FailureKind::NotFound || !certain;
                let verdict = (!gone).then(|| failure.clone());
                (EventKind::AttemptFailed { attempt, failure }, verdict)
            }
        };
        self.attempts
            .note(&mut self.log, "close an attempt", vec![], vec![event])
            .await?;
        let policy = &self.engine.policy.retry;
        match verdict {
            None if self.log.tries < policy.attempts.saturating_add(2) => Ok(()),
            None => Err(Failure::new(
                FailureKind::Unavailable,
                "StillThere",
                "the cloud says that it was deleted, and still shows it",
            )
            .into()),
            Some(failure) if failure.kind.is_retryable() && self.log.tries < policy.attempts => {
                let wait = backoff::delay(policy, self.engine.entropy.as_ref(), self.log.tries);
                Ok(self.engine.pause(wait).await?)
            }
            Some(failure) => Err(failure.into()),
        }
    }
}

/// Says what a person can do about it.
fn explain(retained: &Retained, mut failure: Failure) -> Failure {
    let what = &retained.identifier;
    let advice = match (failure.kind, retained.type_name.as_str()) {
        (FailureKind::InUse, "AWS::S3::Bucket") => {
            format!("the bucket {what} is not empty: empty it first, then destroy it again")
        }
        (FailureKind::InUse, "AWS::ECR::Repository") => {
            format!("the repository {what} still holds images: delete them first")
        }
        (FailureKind::InUse, _) => {
            format!("something still uses {what}: destroy what stands on it first")
        }
        (FailureKind::Protected, _) if failure.code != "InUseAgain" => {
            format!("deletion protection of {what} is on and could not be switched off")
        }
        (FailureKind::Denied, _) => {
            format!("the reaper may not delete {what}: check the reaper role")
        }
        _ => return failure,
    };
    failure.message = format!("{advice} ({})", failure.message);
    failure
}
