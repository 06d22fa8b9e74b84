//! What a handler takes from a request. A wrong request is a problem, never
//! axum's plain text.

use crate::problem::{Refusal, malformed, too_large};
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use landfall_app::Actor;
use landfall_model::{Code, Error, error::Position};
use serde::de::DeserializeOwned;

/// Who asks. The authentication layer puts it there; a route outside of it
/// that takes one refuses everybody.
pub(crate) struct Caller(pub(crate) Actor);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts
            .extensions
            .get::<Actor>()
            .cloned()
            .map(Self)
            .ok_or_else(|| {
                Refusal(Error::new(
                    Code::Unauthenticated,
                    "nobody is signed in",
                    "send 'Authorization: Bearer lf_…' with a valid API token",
                ))
            })
    }
}

/// Path parameters. An id that cannot be one is of something that does not
/// exist.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(Refusal(
                Error::new(
                    Code::NotFound,
                    "there is nothing with this id",
                    "list what there is to find the right id",
                )
                .with_source(rejection),
            )),
        }
    }
}

pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Refusal(malformed(format!(
                "the query cannot be read: {}",
                inner(&rejection)
            )))),
        }
    }
}

fn inner(rejection: &dyn std::error::Error) -> String {
    rejection
        .source()
        .map_or_else(|| rejection.to_string(), ToString::to_string)
}

/// A JSON body, strictly: the right content type, no unknown fields (the types
/// see to that), and the place of a fault.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        require_type(request.headers(), is_json, "application/json")?;
        let body = body(request, state).await?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|fault| Refusal(not_readable(&fault)))
    }
}

/// Serde's message names fields and expected types.
fn not_readable(fault: &serde_json::Error) -> Error {
    let position = Position {
        line: u32::try_from(fault.line()).unwrap_or(u32::MAX),
        column: u32::try_from(fault.column()).unwrap_or(u32::MAX),
    };
    let message = fault.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    let message = without_values(message);
    malformed(format!("the body cannot be read: {message}")).with_violation(
        "",
        message,
        Some(position),
    )
}

/// Serde repeats a value that does not fit. It may be a secret that was put
/// into the wrong field, and answers are kept in logs of others.
fn without_values(message: &str) -> String {
    let quoted = |quote: char| {
        let start = message.find(quote)?;
        let end = message[start + 1..].find(quote)? + start + 1;
        Some(format!("{}…{}", &message[..=start], &message[end..]))
    };
    let hidden = if message.starts_with("unknown variant") {
        quoted('`')
    } else if message.starts_with("invalid ") {
        quoted('"')
    } else {
        None
    };
    hidden.unwrap_or_else(|| message.to_owned())
}

/// No body, or an empty JSON object: commands that take nothing.
pub(crate) struct Nothing;

impl<S: Send + Sync> FromRequest<S> for Nothing {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let body = body(request, state).await?;
        let is_empty_object = || {
            serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&body)
                .is_ok_and(|object| object.is_empty())
        };
        if body.is_empty() || is_empty_object() {
            Ok(Self)
        } else {
            Err(Refusal(malformed("this path takes no body, or {}")))
        }
    }
}

/// A Score file.
pub(crate) struct Yaml(pub(crate) String);

impl<S: Send + Sync> FromRequest<S> for Yaml {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        require_type(request.headers(), is_yaml, "text/yaml")?;
        let body = body(request, state).await?;
        String::from_utf8(body.into())
            .map(Self)
            .map_err(|_| Refusal(malformed("the body is not UTF-8")))
    }
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refusal> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection: BytesRejection| {
            let status = rejection.into_response().status();
            Refusal(if status == StatusCode::PAYLOAD_TOO_LARGE {
                too_large()
            } else {
                malformed("the body ended too early")
            })
        })
}

fn require_type(
    headers: &HeaderMap,
    accepts: fn(&str) -> bool,
    expected: &str,
) -> Result<(), Refusal> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().to_ascii_lowercase());
    if given.as_deref().is_some_and(accepts) {
        return Ok(());
    }
    Err(Refusal(Error::new(
        Code::MediaTypeUnsupported,
        format!("the body must be {expected}"),
        format!("send 'Content-Type: {expected}'"),
    )))
}

fn is_json(essence: &str) -> bool {
    essence == "application/json"
}

fn is_yaml(essence: &str) -> bool {
    matches!(
        essence,
        "text/yaml" | "application/yaml" | "application/x-yaml" | "text/x-yaml"
    )
}

/// `?limit=`
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// At most so many.
    pub(crate) limit: Option<u32>,
}

/// `?after=&limit=`
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct After {
    /// Only what has a greater sequence number.
    pub(crate) after: Option<u64>,
    /// At most so many.
    pub(crate) limit: Option<u32>,
}
