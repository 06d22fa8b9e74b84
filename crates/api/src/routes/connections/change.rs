use crate::{
    Shared,
    extract::{self, Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::connections::{self, Change};
use landfall_model::{connection::Connection, id::ConnectionId};

/// Rename a connection or choose its regions
#[utoipa::path(
    patch,
    path = "/connections/{id}",
    tag = "connections",
    operation_id = "connections_change",
    params(("id" = ConnectionId, Path)),
    request_body = Change,
    responses((status = OK, body = Connection)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
    extract::Json(change): extract::Json<Change>,
) -> Answer<Json<Connection>> {
    Ok(Json(connections::change(&app, &actor, &id, change).await?))
}
