use crate::{
    Shared,
    extract::{self, Caller},
    problem::Answer,
};
use axum::{Json, extract::State, http::StatusCode};
use landfall_app::environments::{self, New};
use landfall_model::environment::View;

/// Put an application into a connection and region
#[utoipa::path(
    post,
    path = "/environments",
    tag = "environments",
    operation_id = "environments_create",
    request_body = New,
    responses((status = CREATED, body = View)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    extract::Json(new): extract::Json<New>,
) -> Answer<(StatusCode, Json<View>)> {
    Ok((
        StatusCode::CREATED,
        Json(environments::create(&app, &actor, new).await?),
    ))
}
