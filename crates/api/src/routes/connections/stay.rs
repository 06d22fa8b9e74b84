use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::connections;
use landfall_model::{connection::Connection, id::ConnectionId};

/// Stay with the method in use
#[utoipa::path(
    delete,
    path = "/connections/{id}/migration",
    tag = "connections",
    operation_id = "connections_stay",
    params(("id" = ConnectionId, Path)),
    responses((status = OK, body = Connection)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
) -> Answer<Json<Connection>> {
    Ok(Json(connections::stay(&app, &actor, &id).await?))
}
