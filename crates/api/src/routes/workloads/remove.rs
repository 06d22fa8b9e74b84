use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::applications;
use landfall_model::{application::Application, id::ApplicationId};

/// Remove a workload; what it made stays until the next rollout retains it
#[utoipa::path(
    delete,
    path = "/applications/{id}/workloads/{name}",
    tag = "workloads",
    operation_id = "workloads_remove",
    params(("id" = ApplicationId, Path), ("name" = String, Path, description = "The workload's name: `metadata.name` of its Score file")),
    responses((status = OK, body = Application)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path((id, name)): Path<(ApplicationId, String)>,
) -> Answer<Json<Application>> {
    Ok(Json(
        applications::remove_workload(&app, &actor, &id, &name).await?,
    ))
}
