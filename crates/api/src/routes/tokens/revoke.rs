use crate::{
    Shared,
    extract::{Caller, Path},
    problem::Answer,
};
use axum::{Json, extract::State};
use landfall_app::tokens;
use landfall_model::{id::TokenId, token::Token};

/// Revoke a token; it stops working at once
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    tag = "tokens",
    operation_id = "tokens_revoke",
    params(("id" = TokenId, Path)),
    responses((status = OK, body = Token)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    Path(id): Path<TokenId>,
) -> Answer<Json<Token>> {
    Ok(Json(tokens::revoke(&app, &actor, &id).await?))
}
