use crate::{Shared, extract::Caller, items::Items, problem::Answer};
use axum::{Json, extract::State};
use landfall_app::applications;
use landfall_model::application::Application;

/// Applications
#[utoipa::path(
    get,
    path = "/applications",
    tag = "applications",
    operation_id = "applications_list",
    responses((status = OK, body = Items<Application>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
) -> Answer<Json<Items<Application>>> {
    Ok(Json(applications::list(&app, &actor).await?.into()))
}
