use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::applications;
use landfall_model::{application::Application, id::ApplicationId};

/// One application with its Score files
#[utoipa::path(
    get,
    path = "/applications/{id}",
    tag = "applications",
    operation_id = "applications_show",
    params(("id" = ApplicationId, Path)),
    responses((status = OK, body = Application)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ApplicationId>,
) -> Answer<Json<Application>> {
    Ok(Json(applications::show(&app, &actor, &id).await?))
}
