use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::plans;
use landfall_model::{id::PlanId, plan::Plan};

/// One plan
#[utoipa::path(
    get,
    path = "/plans/{id}",
    tag = "plans",
    operation_id = "plans_show",
    params(("id" = PlanId, Path)),
    responses((status = OK, body = Plan)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<PlanId>,
) -> Answer<Json<Plan>> {
    Ok(Json(plans::show(&app, &actor, &id).await?))
}
