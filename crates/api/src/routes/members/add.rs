use crate::{
    Shared,
    extract::{self, Caller},
    problem::Answer,
};
use axum::{Json, extract::State, http::StatusCode};
use landfall_app::members::{self, New};
use landfall_model::member::Member;

/// Add a person
#[utoipa::path(
    post,
    path = "/members",
    tag = "members",
    operation_id = "members_add",
    request_body = New,
    responses((status = CREATED, body = Member)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    extract::Json(new): extract::Json<New>,
) -> Answer<(StatusCode, Json<Member>)> {
    Ok((
        StatusCode::CREATED,
        Json(members::add(&app, &actor, new).await?),
    ))
}
