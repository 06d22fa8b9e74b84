use crate::{
    Shared,
    extract::{self, Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::connections::{self, Rotate};
use landfall_model::{connection::Connection, id::ConnectionId};

/// Begin to replace the secret of a connection
///
/// With an empty body Landfall makes the new one, where the grant lets it. The
/// one in use stays until the new one works.
#[utoipa::path(
    post,
    path = "/connections/{id}/rotation",
    tag = "connections",
    operation_id = "connections_rotate",
    params(("id" = ConnectionId, Path)),
    request_body = Rotate,
    responses((status = OK, body = Connection)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
    extract::Json(new): extract::Json<Rotate>,
) -> Answer<Json<Connection>> {
    Ok(Json(connections::rotate(&app, &actor, &id, new).await?))
}
