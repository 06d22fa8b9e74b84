//! What an attempt left when its outcome is unknown or bad, and whether another
//! one is worth it.

use crate::{
    attempt::{passed, window},
    backoff,
    building::{Building, Goal},
    engine::Trouble,
    fold::Attempt,
    lookup::{self, Found, Wanted},
};
use landfall_model::{
    driver::{Failure, FailureKind},
    graph::Node,
    journal::EventKind,
};
use std::collections::BTreeSet;

impl Building<'_> {
    /// Looks for what an earlier attempt may have made. True if it is there.
    pub async fn look(&mut self) -> Result<bool, Trouble> {
        let mut exclude = self.world.retained_identifiers(&self.node.type_name);
        exclude.extend(self.gone.iter().cloned());
        let found = self.find(exclude).await?;
        match found.filter(|found| found.ours) {
            Some(found) => self.take(found),
            None => self.found = None,
        }
        Ok(self.found.is_some())
    }

    fn take(&mut self, found: Found) {
        self.gone.remove(&found.observed.identifier);
        self.found = Some(found.observed.identifier);
    }

    async fn find(&self, mut exclude: BTreeSet<String>) -> Result<Option<Found>, Trouble> {
        let world = self.world;
        if let Goal::Replace { old, .. } = self.goal {
            exclude.insert(old.to_owned());
        }
        exclude.extend(world.elsewhere(&self.action.address, &self.node.type_name));
        let desired = world.resolve(self.template).await?;
        let wanted = Wanted {
            environment_id: &world.plan.environment_id,
            address: &self.action.address,
            node: self.node,
            desired: &desired,
            place: world.place(self.node, self.template).await?,
            exclude,
        };
        lookup::find(world.engine, world.hands, &wanted).await
    }

    /// [`Self::find`] for a name that is said to be taken: reads may lag behind
    /// whoever took it.
    async fn find_taken(&self, taken: bool) -> Result<Option<Found>, Trouble> {
        let engine = self.world.engine;
        let policy = &engine.policy.retry;
        let mut look = 1;
        loop {
            let found = self.find(BTreeSet::new()).await?;
            if found.is_some() || !taken || look >= policy.reads {
                return Ok(found);
            }
            let wait = backoff::delay(policy, engine.entropy.as_ref(), look);
            engine.pause(wait).await?;
            look += 1;
        }
    }

    /// The cloud can no longer be asked about the open attempt. What it made,
    /// if anything, is found by looking; then the attempt is over.
    pub async fn lost(&mut self, code: &str) -> Result<(), Trouble> {
        let Some(open) = self.log.open().cloned() else {
            return Ok(());
        };
        let mut events = Vec::new();
        if self.is_create() {
            let found = self.look_until_late(&open).await?;
            events.extend(found.map(|found| EventKind::Identified {
                attempt: open.number,
                identifier: found.observed.identifier,
            }));
        }
        events.push(EventKind::AttemptFailed {
            attempt: open.number,
            failure: Failure::new(
                FailureKind::Forgotten,
                code,
                "the cloud cannot say how this attempt ended; Landfall looked instead",
            ),
        });
        let nothing_found = events.len() == 1;
        self.attempts
            .note(&mut self.log, "close a lost attempt", vec![], events)
            .await?;
        let spent = self.log.tries >= self.world.engine.policy.retry.attempts;
        match self.log.last_failure() {
            // A cloud that forgets whatever it is asked is not asked for ever.
            Some(failure) if nothing_found && spent => Err(failure.clone().into()),
            _ => Ok(()),
        }
    }

    /// An attempt that was made a short while ago may still be at work, unseen.
    /// That nothing is there counts only once it is too late for that.
    async fn look_until_late(&self, attempt: &Attempt) -> Result<Option<Found>, Trouble> {
        let engine = self.world.engine;
        let policy = &engine.policy.poll;
        let type_name = &self.node.type_name;
        let mut looks = 0;
        loop {
            let exclude = self.world.retained_identifiers(type_name);
            let found = self.find(exclude).await?.filter(|found| found.ours);
            let age = passed(attempt.at, engine.now());
            let enough = match found {
                Some(_) => policy.typical(type_name),
                None => policy.deadline(type_name),
            };
            if age >= enough {
                return Ok(found);
            }
            let wait = policy.interval(type_name, looks).min(enough - age);
            engine.pause(wait).await?;
            looks = looks.saturating_add(1);
        }
    }

    /// After a failed attempt: closes it where it is certainly over, and waits
    /// if another one is worth it; else the node has failed.
    pub async fn failed(&mut self, failure: Failure, certain: bool) -> Result<(), Trouble> {
        let Some(attempt) = self.log.open().map(|open| open.number) else {
            return Err(failure.into());
        };
        let taken = failure.kind == FailureKind::AlreadyExists;
        let seen = if self.is_create() && (taken || !certain) {
            match self.find_taken(taken).await {
                Ok(found) => found,
                // Could not look either: the attempt stays open.
                Err(Trouble::Failure(_)) if !certain => return Err(failure.into()),
                Err(trouble) => return Err(trouble),
            }
        } else {
            None
        };
        // A refusal by a grant that was changed says nothing about a call that
        // was accepted before.
        let judged = self.is_create() && (taken || was_judged(failure.kind));
        if !certain && seen.is_none() && !judged {
            return Err(failure.into());
        }
        let event = EventKind::AttemptFailed {
            attempt,
            failure: failure.clone(),
        };
        self.attempts
            .note(&mut self.log, "close a failed attempt", vec![], vec![event])
            .await?;
        match seen {
            Some(found) if !found.ours => {
                Err(not_ours(self.node, &found.observed.identifier, &failure).into())
            }
            Some(found) => {
                // Also when this was the last attempt: then it is recorded.
                self.take(found);
                if self.log.tries < self.world.engine.policy.retry.attempts {
                    return Ok(());
                }
                self.wait_or_give_up(failure).await
            }
            None if taken => Err(taken_elsewhere(self.node, &failure).into()),
            _ => self.wait_or_give_up(failure).await,
        }
    }

    async fn wait_or_give_up(&self, failure: Failure) -> Result<(), Trouble> {
        let engine = self.world.engine;
        let policy = &engine.policy.retry;
        let since = self.log.trying_since.unwrap_or(engine.now());
        let spent = engine.now().millis_since(since);
        let window = i64::try_from(window(policy, failure.kind).as_millis()).unwrap_or(i64::MAX);
        let by_time_alone = matches!(
            failure.kind,
            FailureKind::Throttled | FailureKind::NotSettled
        );
        let again = failure.kind.is_retryable()
            && if by_time_alone {
                spent < window
            } else {
                self.log.tries < policy.attempts
            };
        if !again {
            return Err(failure.into());
        }
        let wait = backoff::delay(policy, engine.entropy.as_ref(), self.log.tries);
        Ok(engine.pause(wait).await?)
    }
}

/// Whether the cloud looked at the request and refused it, rather than us.
fn was_judged(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Invalid | FailureKind::Quota | FailureKind::NotFound
    )
}

fn not_ours(node: &Node, identifier: &str, failure: &Failure) -> Failure {
    Failure::new(
        FailureKind::AlreadyExists,
        failure.code.clone(),
        format!(
            "{} {identifier} exists in the account and is not Landfall's: it lacks this \
             environment's tags. Rename or remove it, or give the environment another name",
            node.type_name
        ),
    )
}

fn taken_elsewhere(node: &Node, failure: &Failure) -> Failure {
    Failure::new(
        FailureKind::AlreadyExists,
        failure.code.clone(),
        format!(
            "the name of this {} is taken, perhaps in another account: {}",
            node.type_name, failure.message
        ),
    )
}
