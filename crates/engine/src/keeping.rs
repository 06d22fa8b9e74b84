//! Recording what a node came to, in the transaction of the event that says so.

use crate::{
    building::{Building, Goal},
    engine::{Stop, Trouble},
    record,
};
use landfall_model::{
    driver::Failure,
    graph::Lookup,
    journal::EventKind,
    owned,
    resource::Resource,
    retained::{Reason, Retained},
    store::Write,
};
use serde_json::{Value, json};

/// What a commit changed, for the shared picture.
#[derive(Default)]
pub(crate) struct Kept {
    record: Option<Resource>,
    retained: Vec<Retained>,
}

impl Building<'_> {
    /// It exists as wanted: read what it became and record it.
    pub async fn finish(&mut self, identifier: &str) -> Result<(), Trouble> {
        let attempt = self.log.open().map_or(self.log.count, |open| open.number);
        let events = vec![EventKind::Succeeded {
            attempt,
            identifier: identifier.to_owned(),
        }];
        self.settle(identifier, events).await
    }

    pub async fn adopt(&mut self, identifier: &str) -> Result<(), Trouble> {
        let how = match (&self.goal, &self.node.lookup) {
            (Goal::Known { adopt: true, .. }, _) => "found by the plan",
            (Goal::Known { .. }, _) => "already as wanted",
            _ if self.log.left.is_some() => "left by an earlier attempt",
            (_, Lookup::Name { .. }) => "found by name",
            (_, Lookup::Tags { .. }) => "found by tags",
            (_, Lookup::Properties { .. }) => "found by properties",
        };
        let events = vec![EventKind::Adopted {
            identifier: identifier.to_owned(),
            how: how.to_owned(),
        }];
        self.settle(identifier, events).await
    }

    /// Records the resource in the transaction of the event that says so.
    async fn settle(&mut self, identifier: &str, events: Vec<EventKind>) -> Result<(), Trouble> {
        let seen = self
            .attempts
            .read_made(&self.node.type_name, identifier)
            .await?;
        let applied = self.world.resolve(self.template).await?;
        // Absent in spite of the cloud's own word: recorded all the same, so
        // that the next plan looks for it.
        let outputs = seen.map_or_else(|| json!({}), |observed| observed.properties);
        let (writes, kept) = self.writes(identifier, applied, outputs, false)?;
        self.attempts
            .note(&mut self.log, "record a resource", writes, events)
            .await?;
        self.apply(kept);
        Ok(())
    }

    /// Whatever an unfinished node left in the cloud is recorded: nothing that
    /// we made goes missing because the rest of it failed.
    pub async fn keep_what_is_left(&mut self) -> Result<(Vec<Write>, Kept), Stop> {
        let nothing = (Vec::new(), Kept::default());
        match self.goal {
            Goal::Known { adopt: false, .. } => return Ok(nothing),
            // Before it was touched it is the plan's find, not the rollout's.
            Goal::Known { .. } if self.log.count == 0 => return Ok(nothing),
            Goal::Known { .. } | Goal::Create { .. } | Goal::Replace { .. } => {}
        }
        if self.failed_unnamed() && self.existing().is_none() {
            match self.look().await {
                Err(Trouble::Stop(stop)) => return Err(stop),
                // It cannot be looked for now: the next plan looks.
                Ok(_) | Err(Trouble::Failure(_)) => {}
            }
        }
        let open = self.log.open().and_then(|open| open.identifier.clone());
        let Some(identifier) = open.or_else(|| self.existing()) else {
            return Ok(nothing);
        };
        let recorded = self.world.record(&self.action.address);
        if recorded.is_some_and(|record| record.identifier == identifier) {
            return Ok(nothing);
        }
        let desired = self.world.resolve(self.template).await;
        let seen = self
            .attempts
            .read_made(&self.node.type_name, &identifier)
            .await;
        let (applied, outputs) = match (desired, seen) {
            (Err(Trouble::Stop(stop)), _) | (_, Err(Trouble::Stop(stop))) => return Err(stop),
            (_, Ok(None)) => return Ok(nothing),
            (_, Ok(Some(observed))) if !self.made(&observed) => return Ok(nothing),
            (Ok(desired), Ok(Some(observed))) => {
                let applied = owned::view(&desired, &observed.properties);
                (applied, observed.properties)
            }
            // It cannot be read now, and its name may be somebody else's. An
            // attempt that is open stays so, and whoever settles it looks first;
            // after a refusal the next plan looks.
            _ if self.is_only_a_name(&identifier) => return Ok(nothing),
            // An entry that knows little is better than a resource that nobody
            // knows.
            _ => (json!({}), json!({})),
        };
        Ok(self
            .writes(&identifier, applied, outputs, true)
            .unwrap_or(nothing))
    }

    /// Whether an operation was accepted and failed without saying what it made:
    /// perhaps it made something all the same.
    fn failed_unnamed(&self) -> bool {
        self.is_create()
            && self.log.last.as_ref().is_some_and(|last| {
                last.operation.is_some()
                    && last.identifier.is_none()
                    && matches!(last.over, Some(Err(_)))
            })
    }

    /// Whether nothing but the name of a create speaks for `identifier` being
    /// ours. What was found by a look, or was to be changed, had been seen.
    fn is_only_a_name(&self, identifier: &str) -> bool {
        let named = matches!(self.node.lookup, Lookup::Name { .. });
        let refused = |failure: &Failure| !failure.kind.is_retryable();
        let unproven = self.log.open().is_some() || self.log.last_failure().is_some_and(refused);
        let seen = self.found.as_deref() == Some(identifier) || !self.is_create();
        named && unproven && !seen
    }

    fn writes(
        &self,
        identifier: &str,
        applied: Value,
        outputs: Value,
        unfinished: bool,
    ) -> Result<(Vec<Write>, Kept), Failure> {
        let world = self.world;
        let previous = world.record(&self.action.address);
        let generation = match self.goal {
            Goal::Replace { generation, .. } => generation,
            _ => previous.as_ref().map_or(1, |record| record.generation),
        };
        let record = record::resource(
            world,
            &self.action.address,
            self.node,
            identifier,
            generation,
            applied,
            outputs,
        );
        let mut writes = Vec::new();
        let mut kept = Kept::default();
        // What is gone from the account is nothing to retain.
        let other = previous.filter(|previous| {
            previous.identifier != identifier && !self.gone.contains(&previous.identifier)
        });
        if unfinished && other.is_some() {
            // The working one stays in its place; the unfinished one is listed
            // beside it, unless it is already.
            let listed = world.retained_identifiers(&self.node.type_name);
            if !listed.contains(identifier) {
                let (write, retained) = world.retire(&record, Reason::LeftBehind);
                writes.push(write);
                kept.retained.push(retained);
            }
            return Ok((writes, kept));
        }
        if let Some(previous) = other {
            let reason = match self.goal {
                Goal::Replace { revision: true, .. } => Reason::Superseded,
                _ => Reason::Replaced,
            };
            let (write, retained) = world.retire(&previous, reason);
            writes.push(write);
            kept.retained.push(retained);
        }
        if let Some((write, retained)) = world.reclaim(&self.node.type_name, identifier)? {
            writes.push(write);
            kept.retained.push(retained);
        }
        writes.push(Write::PutResource(record.clone()));
        kept.record = Some(record);
        Ok((writes, kept))
    }

    pub fn apply(&self, kept: Kept) {
        for retained in kept.retained {
            self.world.remember(retained);
        }
        if let Some(record) = kept.record {
            let mut records = self.world.records();
            records.insert(record.address.clone(), record);
        }
    }
}
