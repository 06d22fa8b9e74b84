use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::applications;
use landfall_model::{application::Application, id::ApplicationId};

/// Delete an application; what it made is retained
#[utoipa::path(
    delete,
    path = "/applications/{id}",
    tag = "applications",
    operation_id = "applications_delete",
    params(("id" = ApplicationId, Path)),
    responses((status = OK, body = Application)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ApplicationId>,
) -> Answer<Json<Application>> {
    Ok(Json(applications::delete(&app, &actor, &id).await?))
}
