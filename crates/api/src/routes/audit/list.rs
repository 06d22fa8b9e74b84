use crate::{
    Shared,
    extract::{After, Caller, Query},
    items::Items,
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::audit;
use landfall_model::audit::Entry;

/// The audit log: after an entry in order, or the newest first
#[utoipa::path(
    get,
    path = "/audit",
    tag = "audit",
    operation_id = "audit_list",
    params(After),
    responses((status = OK, body = Items<Entry>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Query(page): Query<After>,
) -> Answer<Json<Items<Entry>>> {
    Ok(Json(
        audit::list(&app, &actor, page.after, page.limit)
            .await?
            .into(),
    ))
}
