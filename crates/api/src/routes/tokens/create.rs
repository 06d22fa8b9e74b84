use crate::{
    Shared,
    extract::{self, Caller},
    middleware::idempotency::Repeatable,
    problem::Answer,
};
use axum::{Extension, Json, extract::State, http::StatusCode};
use landfall_app::tokens::{self, New};
use landfall_model::{Error, token::Token};
use secrecy::ExposeSecret;
use serde::Serialize;

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct CreatedToken {
    token: Token,
    /// Shown this once. Absent when a repeated `Idempotency-Key` is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// Make an API token
#[utoipa::path(
    post,
    path = "/tokens",
    tag = "tokens",
    operation_id = "tokens_create",
    request_body = New,
    responses((status = CREATED, body = CreatedToken)),
)]
pub(crate) async fn handle(
    State(app): State<Shared>,
    Caller(actor): Caller,
    extract::Json(new): extract::Json<New>,
) -> Answer<(StatusCode, Extension<Repeatable>, Json<CreatedToken>)> {
    let created = tokens::create(&app, &actor, new).await?;
    let repeated = CreatedToken {
        token: created.token.clone(),
        secret: None,
    };
    let repeated = serde_json::to_string(&repeated)
        .map_err(|error| Error::internal("writing the answer", error))?;
    let shown_once = CreatedToken {
        token: created.token,
        secret: Some(created.secret.expose_secret().to_owned()),
    };
    Ok((
        StatusCode::CREATED,
        Extension(Repeatable(repeated)),
        Json(shown_once),
    ))
}
