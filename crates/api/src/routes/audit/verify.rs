use crate::{Shared, extract::Caller, problem::Answer};
use axum::{Json, extract::State};
use landfall_app::audit::{self, Verified};

/// Check that the chain of the audit log is unbroken
#[utoipa::path(
    get,
    path = "/audit/verify",
    tag = "audit",
    operation_id = "audit_verify",
    responses((status = OK, body = Verified)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
) -> Answer<Json<Verified>> {
    Ok(Json(audit::verify(&app, &actor).await?))
}
