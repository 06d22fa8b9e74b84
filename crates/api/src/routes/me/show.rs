use crate::{Shared, extract::Caller, problem::Answer};
use axum::{Json, extract::State};
use landfall_app::members::{self, Me};

/// Who the token belongs to and what it may do
#[utoipa::path(
    get,
    path = "/me",
    tag = "me",
    operation_id = "me_show",
    responses((status = OK, body = Me)),
)]
pub(crate) async fn handle(State(app): State<Shared>, Caller(actor): Caller) -> Answer<Json<Me>> {
    Ok(Json(members::me(&app, &actor).await?))
}
