use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::connections;
use landfall_model::{grant::GrantGuide, id::ConnectionId};

/// The ways to make the grant
#[utoipa::path(
    get,
    path = "/connections/{id}/grant",
    tag = "connections",
    operation_id = "connections_grant",
    params(("id" = ConnectionId, Path)),
    responses((status = OK, body = GrantGuide)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
) -> Answer<Json<GrantGuide>> {
    Ok(Json(connections::grant(&app, &actor, &id).await?))
}
