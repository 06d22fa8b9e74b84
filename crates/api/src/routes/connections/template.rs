use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::connections;
use landfall_model::id::ConnectionId;
use serde_json::Value;

/// The CloudFormation template of the grant
#[utoipa::path(
    get,
    path = "/connections/{id}/template",
    tag = "connections",
    operation_id = "connections_template",
    params(("id" = ConnectionId, Path)),
    responses((status = OK, body = Object)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
) -> Answer<Json<Value>> {
    Ok(Json(connections::template(&app, &actor, &id).await?))
}
