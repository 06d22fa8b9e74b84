//! Every error as `application/problem+json` (RFC 9457).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use landfall_app::limits::TooSoon;
use landfall_model::{Code, Error, error::Problem};

pub(crate) type Answer<T> = Result<T, Refusal>;

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

pub(crate) const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(error) = self;
        log(&error);
        let status = StatusCode::from_u16(error.code.http_status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(Problem::from(&error))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        if let Some(seconds) = retry_after(&error) {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"landfall\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// The cause is the operator's: it goes to the log, under the request's id.
fn log(error: &Error) {
    if error.code.http_status() >= 500 {
        let cause = error
            .source
            .as_deref()
            .map(|cause| cause as &(dyn std::error::Error + 'static));
        tracing::error!(code = %error.code, cause, "{}", chain(error));
    }
}

fn chain(error: &Error) -> String {
    let mut text = error.detail.clone();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

fn retry_after(error: &Error) -> Option<u64> {
    match error.code {
        Code::RateLimited => {
            let known = error
                .source
                .as_deref()
                .and_then(|source| source.downcast_ref::<TooSoon>());
            Some(known.map_or(5, |soon| soon.retry_after.as_secs().max(1)))
        }
        Code::CloudThrottled => Some(60),
        Code::StoreUnavailable | Code::RequestTimeout | Code::IdempotencyKeyBusy => Some(5),
        _ => None,
    }
}

pub(crate) async fn no_such_path() -> Refusal {
    Refusal(Error::new(
        Code::NotFound,
        "there is nothing at this path",
        "see /api/v1/openapi.json for the paths",
    ))
}

pub(crate) async fn no_such_method() -> Refusal {
    Refusal(Error::new(
        Code::MethodNotAllowed,
        "the path does not have this method",
        "see /api/v1/openapi.json for the methods of each path",
    ))
}

pub(crate) fn malformed(detail: impl Into<String>) -> Error {
    Error::new(
        Code::RequestMalformed,
        detail,
        "see /api/v1/openapi.json for the shape of the request",
    )
}

pub(crate) fn too_large() -> Error {
    Error::new(
        Code::RequestTooLarge,
        "the body is larger than this path takes",
        "send less",
    )
}
