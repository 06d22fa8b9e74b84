use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::environments;
use landfall_model::{environment::View, id::EnvironmentId};

/// One environment
#[utoipa::path(
    get,
    path = "/environments/{id}",
    tag = "environments",
    operation_id = "environments_show",
    params(("id" = EnvironmentId, Path)),
    responses((status = OK, body = View)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<EnvironmentId>,
) -> Answer<Json<View>> {
    Ok(Json(environments::show(&app, &actor, &id).await?))
}
