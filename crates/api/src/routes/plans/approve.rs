use crate::{
    Shared,
    extract::{self, Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::plans::{self, Approve};
use landfall_model::{id::PlanId, plan::Plan};

/// Approve exactly the plan with this digest
#[utoipa::path(
    post,
    path = "/plans/{id}/approve",
    tag = "plans",
    operation_id = "plans_approve",
    params(("id" = PlanId, Path)),
    request_body = Approve,
    responses((status = OK, body = Plan)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<PlanId>,
    extract::Json(seen): extract::Json<Approve>,
) -> Answer<Json<Plan>> {
    Ok(Json(plans::approve(&app, &actor, &id, seen).await?))
}
