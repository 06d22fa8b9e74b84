use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::connections;
use landfall_model::{connection::View, id::ConnectionId};

/// One connection
#[utoipa::path(
    get,
    path = "/connections/{id}",
    tag = "connections",
    operation_id = "connections_show",
    params(("id" = ConnectionId, Path)),
    responses((status = OK, body = View)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
) -> Answer<Json<View>> {
    Ok(Json(connections::show(&app, &actor, &id).await?))
}
