use crate::{Shared, extract::Caller, items::Items, problem::Answer};
use axum::{Json, extract::State};
use landfall_app::connections::{self, Offered};

/// The ways to connect, and whether this server offers them
#[utoipa::path(
    get,
    path = "/methods",
    tag = "methods",
    operation_id = "methods_list",
    responses((status = OK, body = Items<Offered>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
) -> Answer<Json<Items<Offered>>> {
    Ok(Json(connections::methods(&app, &actor).await?.into()))
}
