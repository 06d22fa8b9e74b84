//! Server-sent events.
//!
//! A stream is a source that is asked again and again: what is new since the
//! last time? In between it waits for a notice of this process, or a second:
//! another replica's changes are only in the database.

use crate::{Shared, problem::Answer};
use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use landfall_app::{
    Actor, access,
    hub::{Notice, Subscription},
    limits::StreamSlot,
};
use landfall_model::error::{Problem, Result};
use serde::Serialize;
use std::{collections::VecDeque, convert::Infallible, time::Duration};
use tokio::time::Instant;

const LOOK: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A token revoked in another replica closes its streams within this; in this
/// one, at once.
const REAUTHENTICATE: Duration = Duration::from_secs(20);

/// What a stream tells.
pub(crate) trait Source: Send + 'static {
    /// What is new; and whether the stream is over with it.
    fn look(
        &mut self,
        app: &Shared,
        actor: &Actor,
    ) -> impl Future<Output = Result<(Vec<Event>, bool)>> + Send;

    /// An event to send at once for a notice, or whether to look again.
    fn hear(&mut self, notice: &Notice) -> Heard;
}

pub(crate) enum Heard {
    /// Not about this.
    Nothing,
    Look,
    Tell(Event),
}

pub(crate) fn event(name: &str, data: &impl Serialize) -> Event {
    Event::default()
        .event(name)
        .json_data(data)
        .unwrap_or_else(|_| Event::default().event("error").data("{}"))
}

struct Flow<S> {
    app: Shared,
    actor: Actor,
    source: S,
    notices: Subscription,
    ready: VecDeque<Event>,
    over: bool,
    /// `None`: must be proved before the next look.
    authenticated: Option<Instant>,
    _slot: StreamSlot,
}

/// Answers with what `source` tells, from now until it is over, the client goes
/// or the server stops. The first look is made before the answer begins, so
/// that a refusal has its status.
pub(crate) async fn answer<S: Source>(
    app: Shared,
    actor: Actor,
    mut source: S,
) -> Answer<Response> {
    let slot = access::admit_stream(&app, &actor)?;
    // Before the first look: what happens in between is heard.
    let notices = app.subscribe(&actor);
    let (first, over) = source.look(&app, &actor).await?;
    let flow = Flow {
        app,
        actor,
        source,
        notices,
        ready: first.into(),
        over,
        authenticated: Some(Instant::now()),
        _slot: slot,
    };
    let sse = Sse::new(events(flow)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(sse.into_response())
}

fn events<S: Source>(flow: Flow<S>) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(flow, |mut flow| async move {
        loop {
            if let Some(event) = flow.ready.pop_front() {
                return Some((Ok(event), flow));
            }
            if flow.over {
                return None;
            }
            flow.advance().await;
        }
    })
}

impl<S: Source> Flow<S> {
    async fn advance(&mut self) {
        if !self.wait().await {
            return;
        }
        if let Err(error) = self.look().await {
            self.ready.push_back(event("error", &Problem::from(&error)));
            self.over = true;
        }
    }

    /// Until it is worth looking. False when there is something to send, or
    /// nothing more ever.
    async fn wait(&mut self) -> bool {
        let deadline = Instant::now() + LOOK;
        let closing = self.app.closing().clone();
        loop {
            let notice = tokio::select! {
                () = closing.cancelled() => None,
                notice = self.notices.next() => notice,
                () = tokio::time::sleep_until(deadline) => return true,
            };
            let Some(notice) = notice else {
                self.over = true;
                return false;
            };
            if let Notice::Access = notice {
                self.authenticated = None;
                return true;
            }
            match self.source.hear(&notice) {
                Heard::Nothing => {}
                Heard::Look => return true,
                Heard::Tell(event) => {
                    self.ready.push_back(event);
                    return false;
                }
            }
        }
    }

    async fn look(&mut self) -> Result<()> {
        let recently = |at: Instant| at.elapsed() < REAUTHENTICATE;
        if !self.authenticated.is_some_and(recently) {
            self.actor = access::refresh(&self.app, &self.actor).await?;
            self.authenticated = Some(Instant::now());
        }
        let (events, over) = self.source.look(&self.app, &self.actor).await?;
        self.ready.extend(events);
        self.over = over;
        Ok(())
    }
}
