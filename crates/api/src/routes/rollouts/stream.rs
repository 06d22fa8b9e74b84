use crate::{
    Shared,
    extract::{After, Caller, Path, Query},
    problem::Answer,
    stream::{self, Heard, Source},
};
use axum::{
    extract::State,
    http::HeaderMap,
    response::{Response, sse::Event},
};
use landfall_app::{Actor, hub::Notice, rollouts};
use landfall_model::{error::Result, id::RolloutId, rollout};

/// Follow a rollout live
///
/// `journal` events carry a journal event each, with its sequence number as id;
/// `rollout` carries the rollout whenever its state changes. The stream ends
/// with the rollout. A reconnecting client's `Last-Event-ID` goes on from there.
#[utoipa::path(
    get,
    path = "/rollouts/{id}/stream",
    tag = "rollouts",
    operation_id = "rollouts_stream",
    params(
        ("id" = RolloutId, Path),
        After,
        ("Last-Event-ID" = Option<u64>, Header, description = "The last event that was seen"),
    ),
    responses((status = OK, body = String, content_type = "text/event-stream")),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<RolloutId>,
    Query(from): Query<After>,
    headers: HeaderMap,
) -> Answer<Response> {
    let last_seen = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .and_then(|id| id.parse().ok());
    let source = Followed {
        after: last_seen.or(from.after).unwrap_or(0),
        state: None,
        id,
    };
    stream::answer(app, actor, source).await
}

struct Followed {
    id: RolloutId,
    after: u64,
    state: Option<rollout::State>,
}

impl Source for Followed {
    async fn look(&mut self, app: &Shared, actor: &Actor) -> Result<(Vec<Event>, bool)> {
        // The rollout first: its last events are committed with or before its
        // end, so none is missed.
        let rollout = rollouts::show(app, actor, &self.id).await?;
        let journal = rollouts::events(app, actor, &self.id, self.after, None).await?;
        let quiet = journal.is_empty();
        let mut events = Vec::new();
        for one in journal {
            self.after = one.seq;
            events.push(stream::event("journal", &one).id(one.seq.to_string()));
        }
        let over = rollout.state.is_over() && quiet;
        if self.state.as_ref() != Some(&rollout.state) && (quiet || !rollout.state.is_over()) {
            events.push(stream::event("rollout", &rollout));
            self.state = Some(rollout.state);
        }
        Ok((events, over))
    }

    fn hear(&mut self, notice: &Notice) -> Heard {
        match notice {
            Notice::Journal { rollout_id } | Notice::Rollout { rollout_id, .. }
                if rollout_id == &self.id =>
            {
                Heard::Look
            }
            Notice::Missed => Heard::Look,
            _ => Heard::Nothing,
        }
    }
}
