use crate::{Shared, extract::Caller, items::Items, problem::Answer};
use axum::{Json, extract::State};
use landfall_app::members;
use landfall_model::member::Member;

/// The people of the organization
#[utoipa::path(
    get,
    path = "/members",
    tag = "members",
    operation_id = "members_list",
    responses((status = OK, body = Items<Member>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
) -> Answer<Json<Items<Member>>> {
    Ok(Json(members::list(&app, &actor).await?.into()))
}
