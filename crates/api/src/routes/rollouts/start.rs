use crate::{
    Shared,
    extract::{Caller, Nothing, Path},
    problem::Answer,
};
use axum::{Json, extract::State, http::StatusCode};
use landfall_app::rollouts;
use landfall_model::{id::PlanId, rollout::Rollout};

/// Run an approved plan
#[utoipa::path(
    post,
    path = "/plans/{id}/rollouts",
    tag = "rollouts",
    operation_id = "rollouts_start",
    params(("id" = PlanId, Path)),
    responses((status = CREATED, body = Rollout)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<PlanId>,
    Nothing: Nothing,
) -> Answer<(StatusCode, Json<Rollout>)> {
    Ok((
        StatusCode::CREATED,
        Json(rollouts::start(&app, &actor, &id).await?),
    ))
}
