use crate::{
    Shared,
    extract::{Caller, Nothing, Path},
    problem::Answer,
};
use axum::{Json, extract::State, http::StatusCode};
use landfall_app::plans;
use landfall_model::{id::EnvironmentId, plan::Plan};

/// Plan: compare what is wanted with the account
#[utoipa::path(
    post,
    path = "/environments/{id}/plans",
    tag = "plans",
    operation_id = "plans_create",
    params(("id" = EnvironmentId, Path)),
    responses((status = CREATED, body = Plan)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<EnvironmentId>,
    Nothing: Nothing,
) -> Answer<(StatusCode, Json<Plan>)> {
    Ok((
        StatusCode::CREATED,
        Json(plans::create(&app, &actor, &id).await?),
    ))
}
