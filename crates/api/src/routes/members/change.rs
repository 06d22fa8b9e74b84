use crate::{
    Shared,
    extract::{self, Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::members::{self, Change};
use landfall_model::{id::MemberId, member::Member};

/// Rename a person or change their role
#[utoipa::path(
    patch,
    path = "/members/{id}",
    tag = "members",
    operation_id = "members_change",
    params(("id" = MemberId, Path)),
    request_body = Change,
    responses((status = OK, body = Member)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<MemberId>,
    extract::Json(change): extract::Json<Change>,
) -> Answer<Json<Member>> {
    Ok(Json(members::change(&app, &actor, &id, change).await?))
}
