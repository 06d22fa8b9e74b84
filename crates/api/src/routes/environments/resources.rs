use crate::{
    Shared,
    extract::{Caller, Path},
    items::Items,
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::environments;
use landfall_model::{id::EnvironmentId, resource::Resource};

/// What an environment has in the account
#[utoipa::path(
    get,
    path = "/environments/{id}/resources",
    tag = "environments",
    operation_id = "environments_resources",
    params(("id" = EnvironmentId, Path)),
    responses((status = OK, body = Items<Resource>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<EnvironmentId>,
) -> Answer<Json<Items<Resource>>> {
    Ok(Json(
        environments::resources(&app, &actor, &id).await?.into(),
    ))
}
