//! Answers, and the three ways in which Azure says no.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Which of the three services a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Entra,
    Graph,
    Arm,
}

impl Service {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Graph => "graph",
            Self::Arm => "arm",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Empty,
    Json(Value),
    Page(String),
}

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub content: Content,
}

impl Answer {
    pub(super) fn json(status: u16, value: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Json(value),
        }
    }

    pub(super) fn ok(value: Value) -> Self {
        Self::json(200, value)
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Empty,
        }
    }

    pub(super) fn page(status: u16, html: String) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Page(html),
        }
    }

    pub(super) fn redirect(to: String) -> Self {
        Self::empty(302).with("location", to)
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn into_response(self, request_id: &str) -> Response<Body> {
        let mut response = Response::builder()
            .status(self.status)
            .header("x-ms-request-id", request_id)
            .header("request-id", request_id)
            .header(header::CACHE_CONTROL, "no-store");
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let (kind, body) = match self.content {
            Content::Empty => (None, Body::empty()),
            Content::Json(value) => (
                Some("application/json; charset=utf-8"),
                Body::from(value.to_string()),
            ),
            Content::Page(html) => (Some("text/html; charset=utf-8"), Body::from(html)),
        };
        if let Some(kind) = kind {
            response = response.header(header::CONTENT_TYPE, kind);
        }
        response
            .body(body)
            .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

/// A refusal, before it is known in whose form it is written.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub status: u16,
    /// `AuthorizationFailed`, or of Entra the number: `70021`.
    pub code: Cow<'static, str>,
    pub message: String,
    /// The OAuth error, of Entra only.
    pub oauth: &'static str,
}

impl Failure {
    pub(super) fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            oauth: "",
        }
    }

    /// Entra's: `AADSTS<number>: <message>`.
    pub(super) fn entra(
        status: u16,
        oauth: &'static str,
        number: u32,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: number.to_string().into(),
            message: message.into(),
            oauth,
        }
    }

    /// What the request log calls it.
    pub(super) fn label(&self, service: Service) -> String {
        match service {
            Service::Entra => format!("AADSTS{}", self.code),
            _ => self.code.to_string(),
        }
    }

    /// The text of an Entra error, without its trailer.
    pub(super) fn description(&self) -> String {
        format!("AADSTS{}: {}", self.code, self.message)
    }

    pub(super) fn render(&self, service: Service, request_id: &str, at: &str) -> Answer {
        let body = match service {
            Service::Entra => json!({
                "error": self.oauth,
                "error_description": format!(
                    "{} Trace ID: {request_id} Correlation ID: {request_id} Timestamp: {at}",
                    self.description()
                ),
                "error_codes": [self.code.parse::<u32>().unwrap_or_default()],
                "timestamp": at,
                "trace_id": request_id,
                "correlation_id": request_id,
                "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
            }),
            Service::Graph => json!({ "error": {
                "code": self.code,
                "message": self.message,
                "innerError": {
                    "date": at,
                    "request-id": request_id,
                    "client-request-id": request_id,
                },
            }}),
            Service::Arm => json!({ "error": { "code": self.code, "message": self.message } }),
        };
        let mut answer = Answer::json(self.status, body);
        if self.status == 401 && service != Service::Entra {
            answer = answer.with(
                "www-authenticate",
                "Bearer error=\"invalid_token\"".to_owned(),
            );
        }
        if self.status == 429 {
            answer = answer.with("retry-after", "1".to_owned());
        }
        answer
    }
}

pub(super) type Outcome = Result<Answer, Failure>;
