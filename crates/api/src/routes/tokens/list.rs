use crate::{Shared, extract::Caller, items::Items, problem::Answer};
use axum::{Json, extract::State};
use landfall_app::tokens;
use landfall_model::token::Token;

/// API tokens, without their secrets
#[utoipa::path(
    get,
    path = "/tokens",
    tag = "tokens",
    operation_id = "tokens_list",
    responses((status = OK, body = Items<Token>)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
) -> Answer<Json<Items<Token>>> {
    Ok(Json(tokens::list(&app, &actor).await?.into()))
}
