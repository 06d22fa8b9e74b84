//! How Google says no: one JSON form for its APIs, another for its token endpoints.

use serde_json::{Value, json};
use std::borrow::Cow;

/// A refused call.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub http: u16,
    /// A canonical code (`PERMISSION_DENIED`), or an OAuth error code.
    pub status: Cow<'static, str>,
    pub message: String,
    pub form: Form,
}

#[derive(Debug, Clone)]
pub(crate) enum Form {
    Api { details: Vec<Value> },
    OAuth,
}

impl Refusal {
    fn api(http: u16, status: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            http,
            status: status.into(),
            message: message.into(),
            form: Form::Api {
                details: Vec::new(),
            },
        }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::api(400, "INVALID_ARGUMENT", message)
    }

    pub fn precondition(message: impl Into<String>) -> Self {
        Self::api(400, "FAILED_PRECONDITION", message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::api(404, "NOT_FOUND", message)
    }

    pub fn exists(message: impl Into<String>) -> Self {
        Self::api(409, "ALREADY_EXISTS", message)
    }

    pub fn aborted(message: impl Into<String>) -> Self {
        Self::api(409, "ABORTED", message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::api(403, "PERMISSION_DENIED", message)
    }

    pub fn throttled(service: &str) -> Self {
        Self::api(
            429,
            "RESOURCE_EXHAUSTED",
            "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute'.",
        )
        .info(
            "RATE_LIMIT_EXCEEDED",
            "googleapis.com",
            json!({
                "service": format!("{service}.googleapis.com"),
            }),
        )
    }

    pub fn internal() -> Self {
        Self::api(500, "INTERNAL", "Internal error encountered.")
    }

    /// A fault that a test asked for, by its canonical code (Google docs:
    /// `google.rpc.Code`, with the HTTP status of each).
    pub fn asked_for(code: String, message: String) -> Self {
        let http = match code.as_str() {
            "UNAUTHENTICATED" => 401,
            "PERMISSION_DENIED" => 403,
            "NOT_FOUND" => 404,
            "ALREADY_EXISTS" | "ABORTED" => 409,
            "RESOURCE_EXHAUSTED" => 429,
            "CANCELLED" => 499,
            "INTERNAL" | "UNKNOWN" | "DATA_LOSS" => 500,
            "UNIMPLEMENTED" => 501,
            "UNAVAILABLE" => 503,
            "DEADLINE_EXCEEDED" => 504,
            _ => 400,
        };
        Self::api(http, code, message)
    }

    pub fn no_such_method(method: &str, path: &str) -> Self {
        Self::api(
            404,
            "NOT_FOUND",
            format!("Method not found: {method} /{path}"),
        )
    }

    pub fn unauthenticated(reason: &str, service: &str) -> Self {
        Self::api(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, \
             login cookie or other valid authentication credential. See \
             https://developers.google.com/identity/sign-in/web/devconsole-project.",
        )
        .info(
            reason,
            "googleapis.com",
            json!({ "service": format!("{service}.googleapis.com") }),
        )
    }

    /// The caller lacks a permission, or what it names does not exist: Google
    /// does not say which.
    pub fn denied(service: &str, permission: &str, resource: &str) -> Self {
        if service == "cloudresourcemanager" {
            let resource = format!("//cloudresourcemanager.googleapis.com/{resource}");
            return Self::forbidden(format!(
                "Permission '{permission}' denied on resource '{resource}' (or it may not exist)."
            ))
            .info(
                "IAM_PERMISSION_DENIED",
                "cloudresourcemanager.googleapis.com",
                json!({ "permission": permission, "resource": resource }),
            );
        }
        if service == "serviceusage" {
            return Self::forbidden(format!(
                "Permission denied: '{permission}' on '{resource}' (or it may not exist)."
            ))
            .info(
                "AUTH_PERMISSION_DENIED",
                "serviceusage.googleapis.com",
                json!({ "permission": permission, "resource": resource }),
            );
        }
        Self::forbidden(format!(
            "Permission '{permission}' denied on resource (or it may not exist)."
        ))
        .info(
            "IAM_PERMISSION_DENIED",
            "iam.googleapis.com",
            json!({ "permission": permission, "resource": resource }),
        )
    }

    /// The API is off in the project that pays for the call.
    pub fn disabled(service: &str, title: &str, number: &str) -> Self {
        let api = format!("{service}.googleapis.com");
        let url = format!(
            "https://console.developers.google.com/apis/api/{api}/overview?project={number}"
        );
        let mut refusal = Self::forbidden(format!(
            "{title} has not been used in project {number} before or it is disabled. Enable it by \
             visiting {url} then retry. If you enabled this API recently, wait a few minutes for \
             the action to propagate to our systems and retry."
        ))
        .info(
            "SERVICE_DISABLED",
            "googleapis.com",
            json!({
                "service": api,
                "serviceTitle": title,
                "consumer": format!("projects/{number}"),
                "containerInfo": number,
                "activationUrl": url,
            }),
        );
        refusal.push(json!({
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{ "description": "Google developers console API activation", "url": url }],
        }));
        refusal
    }

    /// A token endpoint's refusal (RFC 6749, section 5.2).
    pub fn oauth(
        http: u16,
        error: impl Into<Cow<'static, str>>,
        description: impl Into<String>,
    ) -> Self {
        Self {
            http,
            status: error.into(),
            message: description.into(),
            form: Form::OAuth,
        }
    }

    /// Adds an `ErrorInfo`.
    pub fn info(mut self, reason: &str, domain: &str, metadata: Value) -> Self {
        self.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": domain,
            "metadata": metadata,
        }));
        self
    }

    pub fn violation(mut self, kind: &str, subject: &str, description: &str) -> Self {
        self.push(json!({
            "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
            "violations": [{ "type": kind, "subject": subject, "description": description }],
        }));
        self
    }

    fn push(&mut self, detail: Value) {
        if let Form::Api { details } = &mut self.form {
            details.push(detail);
        }
    }

    pub fn body(&self) -> Value {
        match &self.form {
            Form::OAuth => json!({ "error": self.status, "error_description": self.message }),
            Form::Api { details } => {
                let mut error = json!({
                    "code": self.http,
                    "message": self.message,
                    "status": self.status,
                });
                if !details.is_empty() {
                    error["details"] = json!(details);
                }
                json!({ "error": error })
            }
        }
    }
}
