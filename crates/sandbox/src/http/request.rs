//! A request, read completely: a signature covers all of it.

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};

/// Requests of the services served here stay far below this; a template is at
/// most 1 MB.
pub(super) const BODY_LIMIT: usize = 1 << 20;

#[derive(Debug, Clone)]
pub(crate) struct Captured {
    pub method: Method,
    /// As sent, percent-encoding included.
    pub path: String,
    /// As sent, without the question mark.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Captured {
    pub(crate) fn new(parts: Parts, body: Bytes) -> Self {
        Self {
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            method: parts.method,
            headers: parts.headers,
            body,
        }
    }

    /// The first value of a header, when it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
