//! A request, taken apart: decoded path segments, query or form, body.

use super::answer::{Failure, Service};
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::Value;

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub method: Method,
    /// Decoded; empty ones are dropped.
    pub segments: Vec<String>,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    /// Nothing when a segment hides a slash: ids are segments joined again, so
    /// that one could name what lies elsewhere than what was authorised.
    pub(super) fn new(parts: Parts, body: Bytes) -> Option<Self> {
        let decode = |text: &str| {
            let text = percent_decode_str(text).decode_utf8_lossy().into_owned();
            (!text.contains('/')).then_some(text)
        };
        Some(Self {
            segments: parts
                .uri
                .path()
                .split('/')
                .filter(|segment| !segment.is_empty())
                .map(decode)
                .collect::<Option<_>>()?,
            query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
            method: parts.method,
            headers: parts.headers,
            body,
        })
    }

    pub(super) fn path(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// The path as a resource id, in the case in which it was written.
    pub(super) fn id(&self) -> String {
        format!("/{}", self.segments.join("/"))
    }

    /// Everything is under one origin; the first segment tells the services
    /// apart, because Entra's authority must be the origin itself.
    pub(super) fn service(&self) -> Service {
        match self.segments.first().map(|first| first.to_lowercase()) {
            Some(first) if first == "v1.0" || first == "beta" => Service::Graph,
            Some(first)
                if [
                    "subscriptions",
                    "providers",
                    "tenants",
                    "metadata",
                    "resources",
                ]
                .contains(&first.as_str()) =>
            {
                Service::Arm
            }
            _ => Service::Entra,
        }
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let found = self
            .query
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn form(&self) -> Form {
        Form(pairs(&self.body))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as a JSON object; an absent one is empty.
    pub(super) fn json(&self) -> Result<Value, Failure> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| {
                let (code, message) = match self.service() {
                    Service::Graph => ("BadRequest", "Unable to read JSON request payload."),
                    _ => (
                        "InvalidRequestContent",
                        "The request content was invalid and could not be deserialized.",
                    ),
                };
                Failure::new(400, code, message)
            })
    }
}

/// A submitted form.
#[derive(Debug, Clone)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}
