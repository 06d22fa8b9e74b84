use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::retained;
use landfall_model::{id::RetainedId, retained::Retained};

/// One retained resource
#[utoipa::path(
    get,
    path = "/retained/{id}",
    tag = "retained",
    operation_id = "retained_show",
    params(("id" = RetainedId, Path)),
    responses((status = OK, body = Retained)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<RetainedId>,
) -> Answer<Json<Retained>> {
    Ok(Json(retained::show(&app, &actor, &id).await?))
}
