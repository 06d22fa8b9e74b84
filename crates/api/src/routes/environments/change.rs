use crate::{
    Shared,
    extract::{self, Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::environments::{self, Change};
use landfall_model::{environment::View, id::EnvironmentId};

/// Change an environment's settings or approval policy
#[utoipa::path(
    patch,
    path = "/environments/{id}",
    tag = "environments",
    operation_id = "environments_change",
    params(("id" = EnvironmentId, Path)),
    request_body = Change,
    responses((status = OK, body = View)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<EnvironmentId>,
    extract::Json(change): extract::Json<Change>,
) -> Answer<Json<View>> {
    Ok(Json(environments::change(&app, &actor, &id, change).await?))
}
