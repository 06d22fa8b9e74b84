use crate::{
    Shared,
    extract::{Caller, Nothing, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::rollouts;
use landfall_model::{id::RolloutId, rollout::Rollout};

/// Cancel a rollout: nothing new starts
#[utoipa::path(
    post,
    path = "/rollouts/{id}/cancel",
    tag = "rollouts",
    operation_id = "rollouts_cancel",
    params(("id" = RolloutId, Path)),
    responses((status = OK, body = Rollout)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<RolloutId>,
    Nothing: Nothing,
) -> Answer<Json<Rollout>> {
    Ok(Json(rollouts::cancel(&app, &actor, &id).await?))
}
