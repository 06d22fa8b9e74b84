use crate::{
    Shared,
    extract::{After, Caller, Path, Query},
    items::Items,
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::rollouts;
use landfall_model::{id::RolloutId, journal::Event};

/// The journal of a rollout, in order
#[utoipa::path(
    get,
    path = "/rollouts/{id}/events",
    tag = "rollouts",
    operation_id = "rollouts_events",
    params(("id" = RolloutId, Path), After),
    responses((status = OK, body = Items<Event>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<RolloutId>,
    Query(page): Query<After>,
) -> Answer<Json<Items<Event>>> {
    Ok(Json(
        rollouts::events(&app, &actor, &id, page.after.unwrap_or(0), page.limit)
            .await?
            .into(),
    ))
}
