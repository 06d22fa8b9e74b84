use crate::problem::Refusal;
use axum::response::{IntoResponse, Response};
use landfall_model::Error;
use std::any::Any;

/// A panic is a bug of ours: the message goes to the log, and the answer is
/// like any other.
pub(super) fn answer(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message")
        .to_owned();
    Refusal(Error::internal("answering the request", message)).into_response()
}
