use crate::{
    Shared,
    extract::{Caller, Nothing, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::connections;
use landfall_model::{check::CheckRun, id::ConnectionId};

/// Run all checks now
#[utoipa::path(
    post,
    path = "/connections/{id}/verify",
    tag = "connections",
    operation_id = "connections_verify",
    params(("id" = ConnectionId, Path)),
    responses((status = OK, body = CheckRun)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
    Nothing: Nothing,
) -> Answer<Json<CheckRun>> {
    Ok(Json(connections::verify(&app, &actor, &id).await?))
}
