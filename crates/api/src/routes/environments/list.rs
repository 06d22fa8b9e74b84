use crate::{
    Shared,
    extract::{Caller, Query},
    items::Items,
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::environments;
use landfall_model::{environment::View, id::ApplicationId};
use serde::Deserialize;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only of this application.
    application_id: Option<ApplicationId>,
}

/// Environments
#[utoipa::path(
    get,
    path = "/environments",
    tag = "environments",
    operation_id = "environments_list",
    params(Filter),
    responses((status = OK, body = Items<View>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Query(filter): Query<Filter>,
) -> Answer<Json<Items<View>>> {
    let environments = environments::list(&app, &actor, filter.application_id.as_ref()).await?;
    Ok(Json(environments.into()))
}
