use crate::{
    Shared,
    extract::{Caller, Path},
    items::Items,
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::connections;
use landfall_model::{connector::Region, id::ConnectionId};

/// The account's regions and whether they are enabled
#[utoipa::path(
    get,
    path = "/connections/{id}/regions",
    tag = "connections",
    operation_id = "connections_regions",
    params(("id" = ConnectionId, Path)),
    responses((status = OK, body = Items<Region>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
) -> Answer<Json<Items<Region>>> {
    Ok(Json(connections::regions(&app, &actor, &id).await?.into()))
}
