use crate::{
    Shared,
    extract::{self, Caller},
    problem::Answer,
};
use axum::{Json, extract::State, http::StatusCode};
use landfall_app::connections::{self, Created, New};

/// Begin to connect an account, and learn how to grant
#[utoipa::path(
    post,
    path = "/connections",
    tag = "connections",
    operation_id = "connections_create",
    request_body = New,
    responses((status = CREATED, body = Created)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    extract::Json(new): extract::Json<New>,
) -> Answer<(StatusCode, Json<Created>)> {
    Ok((
        StatusCode::CREATED,
        Json(connections::create(&app, &actor, new).await?),
    ))
}
