use crate::{Shared, extract::Caller, items::Items, problem::Answer};
use axum::{Json, extract::State};
use landfall_app::connections;
use landfall_model::connection::Connection;

/// Connections, disconnected ones too
#[utoipa::path(
    get,
    path = "/connections",
    tag = "connections",
    operation_id = "connections_list",
    responses((status = OK, body = Items<Connection>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
) -> Answer<Json<Items<Connection>>> {
    Ok(Json(connections::list(&app, &actor).await?.into()))
}
