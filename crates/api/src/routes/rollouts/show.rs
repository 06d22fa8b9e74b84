use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::rollouts;
use landfall_model::{id::RolloutId, rollout::RolloutProgress};

/// Where a rollout is, node by node
#[utoipa::path(
    get,
    path = "/rollouts/{id}",
    tag = "rollouts",
    operation_id = "rollouts_show",
    params(("id" = RolloutId, Path)),
    responses((status = OK, body = RolloutProgress)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<RolloutId>,
) -> Answer<Json<RolloutProgress>> {
    Ok(Json(rollouts::progress(&app, &actor, &id).await?))
}
