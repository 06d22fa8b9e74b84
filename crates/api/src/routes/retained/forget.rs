use crate::{
    Shared,
    extract::{self, Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::retained::{self, TypedName};
use landfall_model::{id::RetainedId, retained::Retained};

/// Take a resource off the list and leave it in the account
#[utoipa::path(
    post,
    path = "/retained/{id}/forget",
    tag = "retained",
    operation_id = "retained_forget",
    params(("id" = RetainedId, Path)),
    request_body = TypedName,
    responses((status = OK, body = Retained)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<RetainedId>,
    extract::Json(typed): extract::Json<TypedName>,
) -> Answer<Json<Retained>> {
    Ok(Json(retained::forget(&app, &actor, &id, typed).await?))
}
