use crate::{
    Shared,
    extract::{Caller, Path},
    items::Items,
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::connections;
use landfall_model::{connection::Remaining, id::ConnectionId};

/// What Landfall made in the account and is still there
#[utoipa::path(
    get,
    path = "/connections/{id}/remaining",
    tag = "connections",
    operation_id = "connections_remaining",
    params(("id" = ConnectionId, Path)),
    responses((status = OK, body = Items<Remaining>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
) -> Answer<Json<Items<Remaining>>> {
    Ok(Json(
        connections::remaining(&app, &actor, &id).await?.into(),
    ))
}
