use crate::problem::Refusal;
use axum::{
    extract::Request,
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use landfall_model::{Code, Error};
use std::time::Duration;

/// Reads come from the database, or ask a cloud one question.
const READ: Duration = Duration::from_secs(30);
/// Planning and verifying ask a cloud many, each with its own timeout.
const WRITE: Duration = Duration::from_secs(170);

/// The head of an answer must be ready in time; a stream then flows as long as
/// it likes.
pub(crate) async fn limit(request: Request, next: Next) -> Response {
    let limit = if request.method() == Method::GET {
        READ
    } else {
        WRITE
    };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal(Error::new(
            Code::RequestTimeout,
            "the answer was not ready in time",
            "look whether it happened, then repeat the request",
        ))
        .into_response(),
    }
}
