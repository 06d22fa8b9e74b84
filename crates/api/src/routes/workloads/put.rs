use crate::{
    Shared,
    extract::{Caller, Path, Yaml},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::applications;
use landfall_model::{application::Application, id::ApplicationId};

/// Add or replace a workload by its Score file
#[utoipa::path(
    put,
    path = "/applications/{id}/workloads/{name}",
    tag = "workloads",
    operation_id = "workloads_put",
    params(("id" = ApplicationId, Path), ("name" = String, Path, description = "The workload's name: `metadata.name` of its Score file")),
    request_body(content = String, content_type = "text/yaml"),
    responses((status = OK, body = Application)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path((id, name)): Path<(ApplicationId, String)>,
    Yaml(score_file): Yaml,
) -> Answer<Json<Application>> {
    Ok(Json(
        applications::put_workload(&app, &actor, &id, &name, &score_file).await?,
    ))
}
