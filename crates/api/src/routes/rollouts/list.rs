use crate::{
    Shared,
    extract::{Caller, Query},
    items::Items,
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::rollouts;
use landfall_model::{id::EnvironmentId, rollout::Rollout};
use serde::Deserialize;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only of this environment.
    environment_id: Option<EnvironmentId>,
    /// At most so many.
    limit: Option<u32>,
}

/// Rollouts, newest first
#[utoipa::path(
    get,
    path = "/rollouts",
    tag = "rollouts",
    operation_id = "rollouts_list",
    params(Filter),
    responses((status = OK, body = Items<Rollout>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Query(filter): Query<Filter>,
) -> Answer<Json<Items<Rollout>>> {
    let environment = filter.environment_id.as_ref();
    let rollouts = rollouts::list(&app, &actor, environment, filter.limit).await?;
    Ok(Json(rollouts.into()))
}
