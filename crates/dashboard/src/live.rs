//! Telling an open page that what it shows has changed.
//!
//! The event says only *changed*; the page fetches its fragment again, through
//! the same authorization as any other. Changes of other replicas are not
//! heard here, so it is also said every few seconds.

use crate::{Shared, session::SignedIn};
use axum::{
    extract::{Query, State},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::stream;
use landfall_app::hub::{Notice, Subscription};
use serde::Deserialize;
use std::{convert::Infallible, time::Duration};
use tokio_util::sync::CancellationToken;

/// Changes come in bursts: one fragment for all of a quarter second.
const BURST: Duration = Duration::from_millis(250);
const ANYWAY: Duration = Duration::from_secs(4);

/// What the page shows; only notices about it count.
#[derive(Deserialize)]
pub struct About {
    /// An id of any noun.
    id: String,
}

struct Listener {
    notices: Subscription,
    about: String,
    closing: CancellationToken,
}

pub async fn live(
    State(shared): State<Shared>,
    signed_in: SignedIn,
    Query(about): Query<About>,
) -> Response {
    let listener = Listener {
        notices: shared.app.subscribe(&signed_in.actor),
        about: about.id,
        closing: shared.app.closing().clone(),
    };
    let events = stream::unfold(listener, |mut listener| async move {
        let closing = listener.closing.clone();
        tokio::select! {
            () = closing.cancelled() => return None,
            heard = listener.changed() => heard?,
            () = tokio::time::sleep(ANYWAY) => {}
        }
        tokio::time::sleep(BURST).await;
        // Browsers drop an event without data.
        let event = Event::default().event("changed").data("again");
        Some((Ok::<_, Infallible>(event), listener))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

impl Listener {
    /// Returns at the next notice about what is shown; `None` when the stream
    /// must end.
    async fn changed(&mut self) -> Option<()> {
        loop {
            let notice = self.notices.next().await?;
            // Somebody may have lost their access: the browser comes back by
            // itself and must show its cookie again.
            if matches!(notice, Notice::Access) {
                return None;
            }
            if is_about(&notice, &self.about) {
                return Some(());
            }
        }
    }
}

fn is_about(notice: &Notice, id: &str) -> bool {
    match notice {
        Notice::Connection { connection_id }
        | Notice::Check { connection_id, .. }
        | Notice::Checks { connection_id } => connection_id.as_str() == id,
        Notice::Application { application_id } => application_id.as_str() == id,
        Notice::Environment { environment_id } => environment_id.as_str() == id,
        Notice::Plan {
            plan_id,
            environment_id,
        } => plan_id.as_str() == id || environment_id.as_str() == id,
        Notice::Rollout {
            rollout_id,
            environment_id,
        } => rollout_id.as_str() == id || environment_id.as_str() == id,
        Notice::Journal { rollout_id } => rollout_id.as_str() == id,
        Notice::Retained { retained_id } => retained_id.as_str() == id,
        Notice::Missed | Notice::Access => true,
    }
}
