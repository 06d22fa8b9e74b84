use crate::{
    Shared,
    extract::{Caller, Query},
    items::Items,
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::retained;
use landfall_model::retained::Retained;
use serde::Deserialize;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Also what was destroyed or forgotten.
    closed: Option<bool>,
}

/// What is no longer wanted but still in an account
#[utoipa::path(
    get,
    path = "/retained",
    tag = "retained",
    operation_id = "retained_list",
    params(Filter),
    responses((status = OK, body = Items<Retained>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Query(filter): Query<Filter>,
) -> Answer<Json<Items<Retained>>> {
    let closed = filter.closed.unwrap_or(false);
    Ok(Json(retained::list(&app, &actor, closed).await?.into()))
}
