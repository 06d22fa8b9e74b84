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

#[cfg(test)]
mod tests {
    use super::answer;
    use crate::problem::CONTENT_TYPE;
    use axum::{
        body::to_bytes,
        http::{StatusCode, header},
    };

    #[tokio::test]
    async fn a_panic_is_a_problem_without_its_message() {
        let response = answer(Box::new("index 7 of secrets".to_owned()));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            body.contains("\"internal\"") && !body.contains("secrets"),
            "{body}"
        );
    }
}
