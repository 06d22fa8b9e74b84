use crate::{
    Shared,
    extract::{self, Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::connections::{self, Created, Move};
use landfall_model::id::ConnectionId;

/// Begin to move a connection to another method
///
/// The connection goes on by the method in use until everything passes by the
/// other one; then both change places in one write.
#[utoipa::path(
    post,
    path = "/connections/{id}/migration",
    tag = "connections",
    operation_id = "connections_migrate",
    params(("id" = ConnectionId, Path)),
    request_body = Move,
    responses((status = OK, body = Created)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
    extract::Json(to): extract::Json<Move>,
) -> Answer<Json<Created>> {
    Ok(Json(connections::migrate(&app, &actor, &id, to).await?))
}
