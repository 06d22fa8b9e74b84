use crate::{
    Shared,
    extract::{Caller, Nothing, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::connections::{self, Disconnected};
use landfall_model::id::ConnectionId;

/// End a connection and learn what stays in the account
#[utoipa::path(
    post,
    path = "/connections/{id}/disconnect",
    tag = "connections",
    operation_id = "connections_disconnect",
    params(("id" = ConnectionId, Path)),
    responses((status = OK, body = Disconnected)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
    Nothing: Nothing,
) -> Answer<Json<Disconnected>> {
    Ok(Json(connections::disconnect(&app, &actor, &id).await?))
}
