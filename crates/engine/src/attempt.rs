//! One attempt, from intent to outcome: the crash windows of the whole engine
//! are between the awaits of this file.

use crate::{
    backoff,
    breaker::is_silenced,
    engine::{Engine, Stop, Trouble},
    fold::{Attempt, NodeLog},
    hands::Hands,
    journal::Journal,
    policy::RetryPolicy,
};
use landfall_model::{
    Entropy, Timestamp,
    driver::{AttemptToken, Failure, FailureKind, Observed, Progress, Status},
    graph::Address,
    journal::{Call, EventKind},
    store::Write,
};
use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How long a token may be replayed. AWS keeps one for 36 hours (AWS docs:
/// Cloud Control API, "Ensuring resource operation requests are unique") and
/// takes it for a new request afterwards, which would make a second resource.
const TOKEN_LIFE_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// An operation this young is not forgotten: it is not known everywhere yet.
const NEW: Duration = Duration::from_secs(30);

/// How an attempt ended, as far as this run can say.
#[derive(Debug)]
pub(crate) enum Outcome {
    Succeeded {
        identifier: Option<String>,
    },
    /// `certain`: the cloud has nothing in flight for this attempt any more.
    /// Otherwise an earlier call of it may have been accepted.
    Failed {
        failure: Failure,
        certain: bool,
    },
    /// The cloud can no longer be asked about it: look for the resource.
    Lost,
    /// Nothing more can be said in this run; the attempt stays open.
    Unfinished {
        failure: Failure,
    },
}

/// Carries attempts of one address through.
pub(crate) struct Attempts<'a, H> {
    pub engine: &'a Engine,
    pub journal: &'a Journal<'a>,
    pub hands: &'a H,
    pub address: &'a Address,
    pub canceling: &'a AtomicBool,
}

impl<H: Hands> Attempts<'_, H> {
    /// Commits events, with what belongs to them, and keeps the log in step.
    pub async fn note(
        &self,
        log: &mut NodeLog,
        operation: &'static str,
        mut with: Vec<Write>,
        events: Vec<EventKind>,
    ) -> Result<(), Stop> {
        let at = self.engine.now();
        for kind in &events {
            with.push(self.journal.entry(Some(self.address), kind.clone()));
        }
        self.journal.commit(operation, with).await?;
        for kind in &events {
            log.apply(at, kind);
        }
        Ok(())
    }

    /// Rule 1 of the journal: what is about to be asked is committed first. If
    /// we die right after this, the next start replays the token or looks.
    pub async fn intend(
        &self,
        log: &mut NodeLog,
        type_name: &str,
        request: Call,
    ) -> Result<(), Stop> {
        let attempt = log.count.saturating_add(1);
        let event = EventKind::Intended {
            attempt,
            token: new_token(self.engine.entropy.as_ref()),
            type_name: type_name.to_owned(),
            request,
        };
        self.note(log, "write an intent to the journal", vec![], vec![event])
            .await
    }

    /// Carries the open attempt to its outcome. `doubtful`: it was found open
    /// by a new start, so its call may have been made.
    pub async fn drive(&self, log: &mut NodeLog, doubtful: bool) -> Result<Outcome, Stop> {
        let Some(attempt) = log.open().cloned() else {
            return Ok(Outcome::Lost);
        };
        let first = match &attempt.operation {
            Some(_) => None,
            None => match self.send(log, &attempt, doubtful).await? {
                Ok(progress) => Some(progress),
                Err(outcome) => return Ok(outcome),
            },
        };
        self.follow(log, &attempt, first).await
    }

    /// Makes the call until it is answered, always with the attempt's token:
    /// however often it is repeated, the cloud has one request.
    async fn send(
        &self,
        log: &mut NodeLog,
        attempt: &Attempt,
        doubtful: bool,
    ) -> Result<Result<Progress, Outcome>, Stop> {
        let mut uncertain = doubtful;
        let mut patience = Patience::new(self.engine.now());
        loop {
            if self.engine.now().millis_since(attempt.at) >= TOKEN_LIFE_MILLIS {
                return Ok(Err(Outcome::Lost));
            }
            let answer = self
                .hands
                .send(&attempt.type_name, &attempt.request, &attempt.token)
                .await;
            let failure = match answer {
                Ok(progress) => {
                    self.accepted(log, attempt, &progress).await?;
                    return Ok(Ok(progress));
                }
                Err(failure) => failure,
            };
            uncertain |= may_have_been_accepted(&failure);
            let wait = patience.next(self.engine, &failure);
            // A cancel ends what has certainly not begun; what may have begun
            // is followed to its end.
            let canceled = self.canceling.load(Ordering::SeqCst) && !uncertain;
            match wait.filter(|_| !canceled) {
                Some(wait) => self.engine.pause(wait).await?,
                None => {
                    return Ok(Err(Outcome::Failed {
                        failure,
                        certain: !uncertain,
                    }));
                }
            }
        }
    }

    /// Rule 2: the operation, and the identifier if it is there, are committed
    /// from the first answer. If we die before this, the token gives the same
    /// answer again.
    async fn accepted(
        &self,
        log: &mut NodeLog,
        attempt: &Attempt,
        progress: &Progress,
    ) -> Result<(), Stop> {
        let mut events = vec![EventKind::Accepted {
            attempt: attempt.number,
            operation: progress.operation.clone(),
        }];
        events.extend(identified(attempt, progress, None));
        self.note(log, "write an acceptance to the journal", vec![], events)
            .await
    }

    /// Polls the accepted operation. `progress` is absent after a restart.
    async fn follow(
        &self,
        log: &mut NodeLog,
        attempt: &Attempt,
        mut progress: Option<Progress>,
    ) -> Result<Outcome, Stop> {
        let policy = &self.engine.policy.poll;
        let deadline = policy.deadline(&attempt.type_name);
        let began = self.engine.now();
        // A call that was throttled for long is accepted long after its intent.
        let since = if progress.is_some() {
            began
        } else {
            attempt.at
        };
        let mut patience = Patience::new(began);
        let mut polls = 0;
        loop {
            if let Some(progress) = &progress {
                let known = log.open().and_then(|open| open.identifier.clone());
                if let Some(event) = identified(attempt, progress, known.as_deref()) {
                    self.note(log, "write an identifier", vec![], vec![event])
                        .await?;
                }
                match &progress.status {
                    Status::Succeeded => {
                        let identifier = log.open().and_then(|open| open.identifier.clone());
                        return Ok(Outcome::Succeeded { identifier });
                    }
                    Status::Failed(failure) => {
                        return Ok(Outcome::Failed {
                            failure: failure.clone(),
                            certain: true,
                        });
                    }
                    Status::Running { retry_after } => {
                        if passed(began, self.engine.now()) >= deadline {
                            return Ok(Outcome::Unfinished {
                                failure: never_ended(&attempt.type_name, deadline),
                            });
                        }
                        let usual = policy.interval(&attempt.type_name, polls);
                        let wait = retry_after
                            .map_or(usual, |after| passed(self.engine.now(), after).max(usual));
                        self.engine.pause(wait).await?;
                        polls = polls.saturating_add(1);
                    }
                }
            }
            let Some(operation) = log.open().and_then(|open| open.operation.clone()) else {
                return Ok(Outcome::Lost);
            };
            match self.hands.poll(&operation).await {
                Ok(answer) => {
                    patience = Patience::new(self.engine.now());
                    progress = Some(answer);
                }
                Err(failure) if failure.kind == FailureKind::Forgotten => {
                    if passed(since, self.engine.now()) >= NEW {
                        return Ok(Outcome::Lost);
                    }
                    let wait = policy.interval(&attempt.type_name, polls);
                    self.engine.pause(wait).await?;
                    polls = polls.saturating_add(1);
                }
                Err(failure) => match patience.next(self.engine, &failure) {
                    Some(wait) => self.engine.pause(wait).await?,
                    None => return Ok(Outcome::Unfinished { failure }),
                },
            }
        }
    }

    /// Reads what should exist. Reads may lag behind writes: `None` counts only
    /// when it stays.
    pub async fn read_made(
        &self,
        type_name: &str,
        identifier: &str,
    ) -> Result<Option<Observed>, Trouble> {
        let mut look = 1;
        loop {
            let seen = self.read(type_name, identifier).await?;
            if seen.is_some() || look >= self.engine.policy.retry.reads {
                return Ok(seen);
            }
            let policy = &self.engine.policy.retry;
            let wait = backoff::delay(policy, self.engine.entropy.as_ref(), look);
            self.engine.pause(wait).await?;
            look += 1;
        }
    }

    pub async fn read(
        &self,
        type_name: &str,
        identifier: &str,
    ) -> Result<Option<Observed>, Trouble> {
        patiently(self.engine, || self.hands.read(type_name, identifier)).await
    }
}

fn identified(attempt: &Attempt, progress: &Progress, known: Option<&str>) -> Option<EventKind> {
    let identifier = progress.identifier.as_deref()?;
    (known != Some(identifier)).then(|| EventKind::Identified {
        attempt: attempt.number,
        identifier: identifier.to_owned(),
    })
}

/// The cloud's own trouble may strike after it took the request. A circuit that
/// is open never let the call out.
fn may_have_been_accepted(failure: &Failure) -> bool {
    !is_silenced(failure)
        && matches!(
            failure.kind,
            FailureKind::Unknown | FailureKind::Unavailable
        )
}

fn never_ended(type_name: &str, deadline: Duration) -> Failure {
    Failure::new(
        FailureKind::Unavailable,
        "OperationNeverEnded",
        format!(
            "{type_name} is still in progress after {} minutes; resume the rollout to go on waiting",
            deadline.as_secs() / 60
        ),
    )
}

fn new_token(entropy: &dyn Entropy) -> AttemptToken {
    let bytes: [u8; 16] = entropy.array();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    AttemptToken(format!("landfall-{digits}"))
}

pub(crate) fn passed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(to.millis_since(from)).unwrap_or(0))
}

/// Repeats a call that changes nothing while that is worth it.
pub(crate) async fn patiently<T, F>(engine: &Engine, call: impl Fn() -> F) -> Result<T, Trouble>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut patience = Patience::new(engine.now());
    loop {
        let failure = match call().await {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        match patience.next(engine, &failure) {
            Some(wait) => engine.pause(wait).await?,
            None => return Err(failure.into()),
        }
    }
}

/// How much longer it is worth repeating, by time and by count. Throttling and
/// settling are bounded by time alone: they say that it will work later.
pub(crate) struct Patience {
    began: Timestamp,
    tries: u32,
    counted: u32,
}

impl Patience {
    pub fn new(began: Timestamp) -> Self {
        Self {
            began,
            tries: 0,
            counted: 0,
        }
    }

    /// How long to wait before repeating, or `None` to give up.
    pub fn next(&mut self, engine: &Engine, failure: &Failure) -> Option<Duration> {
        if !failure.kind.is_retryable() || is_silenced(failure) {
            return None;
        }
        self.tries = self.tries.saturating_add(1);
        let policy = &engine.policy.retry;
        if !matches!(
            failure.kind,
            FailureKind::Throttled | FailureKind::NotSettled
        ) {
            self.counted = self.counted.saturating_add(1);
        }
        let patient = self.counted < policy.calls
            && passed(self.began, engine.now()) < window(policy, failure.kind);
        patient.then(|| backoff::delay(policy, engine.entropy.as_ref(), self.tries))
    }
}

pub(crate) fn window(policy: &RetryPolicy, kind: FailureKind) -> Duration {
    match kind {
        FailureKind::NotSettled => policy.settle_window,
        _ => policy.window,
    }
}
