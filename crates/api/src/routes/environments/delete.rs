use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::environments;
use landfall_model::{environment::Environment, id::EnvironmentId};

/// Delete an environment; what it made is retained
#[utoipa::path(
    delete,
    path = "/environments/{id}",
    tag = "environments",
    operation_id = "environments_delete",
    params(("id" = EnvironmentId, Path)),
    responses((status = OK, body = Environment)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<EnvironmentId>,
) -> Answer<Json<Environment>> {
    Ok(Json(environments::delete(&app, &actor, &id).await?))
}
