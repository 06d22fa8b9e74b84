//! Guarded commits to one stream.

use crate::{
    engine::{Engine, EngineError, Stop},
    lease::Heartbeat,
};
use landfall_model::{
    graph::Address,
    journal::{Event, EventKind, Stream},
    store::{Store, Write},
};

const PAGE: u32 = 500;

/// A stream under a lease: every commit begins with the lease's guard, so a
/// worker that was taken over can write nothing.
pub(crate) struct Journal<'a> {
    pub engine: &'a Engine,
    pub stream: Stream,
    pub heartbeat: &'a Heartbeat,
}

impl Journal<'_> {
    pub async fn load(&self) -> Result<Vec<Event>, Stop> {
        Ok(load(self.engine.store.as_ref(), &self.stream).await?)
    }

    pub fn entry(&self, address: Option<&Address>, kind: EventKind) -> Write {
        entry(self.engine, &self.stream, address, kind)
    }

    pub async fn commit(&self, operation: &'static str, writes: Vec<Write>) -> Result<(), Stop> {
        let mut batch = Vec::with_capacity(writes.len() + 1);
        batch.push(Write::Guard {
            lease: self.heartbeat.lease(),
            now: self.engine.now(),
        });
        batch.extend(writes);
        self.engine
            .store
            .commit(batch)
            .await
            .map_err(Stop::store(operation))
    }
}

pub(crate) fn entry(
    engine: &Engine,
    stream: &Stream,
    address: Option<&Address>,
    kind: EventKind,
) -> Write {
    Write::Append {
        stream: stream.clone(),
        at: engine.now(),
        address: address.cloned(),
        kind,
    }
}

pub(crate) async fn load(store: &dyn Store, stream: &Stream) -> Result<Vec<Event>, EngineError> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page =
            store
                .events(stream, after, PAGE)
                .await
                .map_err(|source| EngineError::Store {
                    operation: "read the journal",
                    source,
                })?;
        let full = page.len() >= PAGE as usize;
        events.extend(page);
        if !full {
            return Ok(events);
        }
    }
}
