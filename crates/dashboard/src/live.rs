//! Parts of pages that follow what they show.
//!
//! The stream says only *changed*, and only when the part is another than the
//! one that is shown, or once after a reconnect, which still names the part that
//! was shown first: replacing it takes away what a person had opened, marked or
//! stood on. The page fetches the part again, through the same authorization as
//! any other. Changes of other replicas are not heard here, so the stream also
//! looks by itself every few seconds.

use crate::{
    Shared,
    page::{Answer, Failure, render},
    session::SignedIn,
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, Query, State},
    response::{
        IntoResponse, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures::stream;
use landfall_app::{
    access,
    hub::{Notice, Subscription},
    limits::StreamSlot,
};
use landfall_model::{Error, digest::Digest};
use serde::Deserialize;
use std::{convert::Infallible, marker::PhantomData, time::Duration};
use tokio_util::sync::CancellationToken;

/// Changes come in bursts: one fragment for all of a quarter second.
const BURST: Duration = Duration::from_millis(250);
const ANYWAY: Duration = Duration::from_secs(4);

/// A part of a page that follows what it shows.
///
/// Whatever in it can have focus, be open or scroll needs an id, by which
/// `page.js` finds it in the new one.
pub trait Fragment: Template + Send + Sync + Sized + 'static {
    fn read(
        shared: &Shared,
        signed_in: &SignedIn,
        id: &str,
    ) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// The ids of the nouns in it: notices of them are worth a look.
    fn about(&self) -> Vec<String>;
}

/// `<path>/{id}/live` and `<path>/{id}/changes`.
pub fn routes<F: Fragment>(path: &str) -> Router<Shared> {
    Router::new()
        .route(&format!("{path}/{{id}}/live"), get(fragment::<F>))
        .route(&format!("{path}/{{id}}/changes"), get(changes::<F>))
}

/// A fragment in its page, and where it is followed.
#[derive(Template)]
#[template(path = "live.html")]
pub struct Followed {
    html: String,
    version: String,
    /// `/rollouts/rol_…`
    path: String,
}

impl Followed {
    pub fn new(fragment: &impl Fragment, path: String) -> Result<Self, Failure> {
        let html = html(fragment)?;
        Ok(Self {
            version: version(&html),
            html,
            path,
        })
    }
}

fn html(fragment: &impl Fragment) -> Result<String, Error> {
    fragment
        .render()
        .map_err(|source| Error::internal("drawing a part of the page", source))
}

fn version(html: &str) -> String {
    Digest::of_bytes(html.as_bytes()).short().to_owned()
}

async fn fragment<F: Fragment>(
    State(shared): State<Shared>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Answer {
    render(&F::read(&shared, &signed_in, &id).await?)
}

#[derive(Deserialize)]
struct Seen {
    /// The version that the page shows.
    #[serde(default)]
    seen: String,
}

async fn changes<F: Fragment>(
    State(shared): State<Shared>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    Query(Seen { seen }): Query<Seen>,
) -> Answer {
    let slot = access::admit_stream(&shared.app, &signed_in.actor)?;
    // Before the first look: what happens in between is heard.
    let notices = shared.app.subscribe(&signed_in.actor);
    let mut watcher = Watcher::<F> {
        closing: shared.app.closing().clone(),
        notices,
        shared,
        signed_in,
        id,
        seen,
        about: Vec::new(),
        news: false,
        _slot: slot,
        _fragment: PhantomData,
    };
    // A refusal has its status, and what changed since the page was drawn is
    // told at once.
    watcher.news = watcher.look().await?;
    let events = stream::unfold(watcher, |mut watcher| async move {
        watcher.changed().await?;
        // Browsers drop an event without data.
        let event = Event::default().event("changed").data("again");
        Some((Ok::<_, Infallible>(event), watcher))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response())
}

struct Watcher<F> {
    shared: Shared,
    signed_in: SignedIn,
    id: String,
    notices: Subscription,
    closing: CancellationToken,
    /// The version that the page has, or was told to fetch.
    seen: String,
    about: Vec<String>,
    /// Seen to have changed, and not told yet.
    news: bool,
    _slot: StreamSlot,
    _fragment: PhantomData<F>,
}

impl<F: Fragment> Watcher<F> {
    /// Returns when there is something else to show; `None` when the stream
    /// must end.
    async fn changed(&mut self) -> Option<()> {
        loop {
            if std::mem::take(&mut self.news) {
                return Some(());
            }
            let closing = self.closing.clone();
            tokio::select! {
                () = closing.cancelled() => return None,
                heard = self.heard() => heard?,
                () = tokio::time::sleep(ANYWAY) => {}
            }
            tokio::time::sleep(BURST).await;
            // The browser comes back by itself, and then learns why not.
            self.news = self.look().await.ok()?;
        }
    }

    /// Whether there is something else to show than was seen.
    async fn look(&mut self) -> Result<bool, Failure> {
        let app = &self.shared.app;
        self.signed_in.actor = access::refresh(app, &self.signed_in.actor).await?;
        let fragment = F::read(&self.shared, &self.signed_in, &self.id).await?;
        let version = version(&html(&fragment)?);
        self.about = fragment.about();
        Ok(std::mem::replace(&mut self.seen, version) != self.seen)
    }

    /// Returns at the next notice about what is shown; `None` when the stream
    /// must end.
    async fn heard(&mut self) -> Option<()> {
        loop {
            let notice = self.notices.next().await?;
            // Somebody may have lost their access: the browser comes back by
            // itself and must show its cookie again.
            if matches!(notice, Notice::Access) {
                return None;
            }
            if self.about.iter().any(|id| is_about(&notice, id)) {
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
