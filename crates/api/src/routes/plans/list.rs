use crate::{
    Shared,
    extract::{Caller, Page, Path, Query},
    items::Items,
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::plans;
use landfall_model::{id::EnvironmentId, plan::Plan};

/// Plans of an environment, newest first
#[utoipa::path(
    get,
    path = "/environments/{id}/plans",
    tag = "plans",
    operation_id = "plans_list",
    params(("id" = EnvironmentId, Path), Page),
    responses((status = OK, body = Items<Plan>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<EnvironmentId>,
    Query(page): Query<Page>,
) -> Answer<Json<Items<Plan>>> {
    Ok(Json(
        plans::list(&app, &actor, &id, page.limit).await?.into(),
    ))
}
