use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::members;
use landfall_model::{id::MemberId, member::Member};

/// Remove a person; their tokens stop working
#[utoipa::path(
    delete,
    path = "/members/{id}",
    tag = "members",
    operation_id = "members_remove",
    params(("id" = MemberId, Path)),
    responses((status = OK, body = Member)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<MemberId>,
) -> Answer<Json<Member>> {
    Ok(Json(members::remove(&app, &actor, &id).await?))
}
