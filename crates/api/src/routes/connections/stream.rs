use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
    stream::{self, Heard, Source},
};
use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use landfall_app::{Actor, checks, connections, hub::Notice};
use landfall_model::{
    error::Result,
    id::{CheckRunId, ConnectionId},
};

/// Follow a connection live
///
/// `connection` carries the connection now and whenever it changes; `check`
/// carries a check as it ends; `checks` carries a whole run. The stream goes on
/// until the client leaves.
#[utoipa::path(
    get,
    path = "/connections/{id}/stream",
    tag = "connections",
    operation_id = "connections_stream",
    params(("id" = ConnectionId, Path)),
    responses((status = OK, body = String, content_type = "text/event-stream")),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
) -> Answer<Response> {
    let source = Followed {
        id,
        version: 0,
        run: None,
    };
    stream::answer(app, actor, source).await
}

struct Followed {
    id: ConnectionId,
    version: u64,
    run: Option<CheckRunId>,
}

impl Source for Followed {
    async fn look(&mut self, app: &Shared, actor: &Actor) -> Result<(Vec<Event>, bool)> {
        let mut events = Vec::new();
        let view = connections::show(app, actor, &self.id).await?;
        if view.connection.version != self.version {
            self.version = view.connection.version;
            events.push(stream::event("connection", &view));
        }
        let newest = checks::list(app, actor, &self.id, Some(1)).await?;
        if let Some(run) = newest.first()
            && self.run.as_ref() != Some(&run.id)
        {
            self.run = Some(run.id.clone());
            events.push(stream::event("checks", run));
        }
        Ok((events, false))
    }

    fn hear(&mut self, notice: &Notice) -> Heard {
        match notice {
            Notice::Check {
                connection_id,
                check,
            } if connection_id == &self.id => Heard::Tell(stream::event("check", check)),
            Notice::Connection { connection_id } | Notice::Checks { connection_id }
                if connection_id == &self.id =>
            {
                Heard::Look
            }
            Notice::Missed => Heard::Look,
            _ => Heard::Nothing,
        }
    }
}
