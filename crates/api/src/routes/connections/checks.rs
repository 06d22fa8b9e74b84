use crate::{
    Shared,
    extract::{Caller, Page, Path, Query},
    items::Items,
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::checks;
use landfall_model::{check::CheckRun, id::ConnectionId};

/// Past verifications, newest first
#[utoipa::path(
    get,
    path = "/connections/{id}/checks",
    tag = "connections",
    operation_id = "connections_checks",
    params(("id" = ConnectionId, Path), Page),
    responses((status = OK, body = Items<CheckRun>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<ConnectionId>,
    Query(page): Query<Page>,
) -> Answer<Json<Items<CheckRun>>> {
    Ok(Json(
        checks::list(&app, &actor, &id, page.limit).await?.into(),
    ))
}
