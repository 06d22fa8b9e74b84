use crate::{
    Shared,
    extract::{self, Caller},
    problem::Answer,
};
use axum::{Json, extract::State, http::StatusCode};
use landfall_app::applications::{self, New};
use landfall_model::application::Application;

/// Make an application
#[utoipa::path(
    post,
    path = "/applications",
    tag = "applications",
    operation_id = "applications_create",
    request_body = New,
    responses((status = CREATED, body = Application)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    extract::Json(new): extract::Json<New>,
) -> Answer<(StatusCode, Json<Application>)> {
    Ok((
        StatusCode::CREATED,
        Json(applications::create(&app, &actor, new).await?),
    ))
}
