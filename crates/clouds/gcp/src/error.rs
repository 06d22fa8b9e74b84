//! What Google answers, as far as a check or the engine must know.
//!
//! The APIs answer with a canonical code and details (`google.rpc.ErrorInfo`
//! says the exact reason); the token endpoints with OAuth's two texts.

use crate::http::Effect;
use landfall_model::driver::{Failure, FailureKind};
use serde_json::Value;
use std::error::Error as _;

/// The longest text that is kept: enough for a person, too little for a page.
const LONGEST: usize = 1000;

/// The API is off in the project that the call is counted for.
pub(crate) const SERVICE_DISABLED: &str = "SERVICE_DISABLED";

/// Classifies an error answer.
pub(crate) fn from_answer(status: u16, body: &[u8], operation: &str, effect: Effect) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &body["error"];
    if let Some(code) = error.as_str() {
        let text = body["error_description"].as_str().unwrap_or_default();
        return of_oauth(status, code, text, operation);
    }
    let canonical = error["status"].as_str().unwrap_or_default();
    let text = error["message"].as_str().unwrap_or_default();
    let info = detail(error, "google.rpc.ErrorInfo");
    let reason = info.and_then(|info| info["reason"].as_str());
    let violation = detail(error, "google.rpc.PreconditionFailure")
        .and_then(|detail| detail.pointer("/violations/0"));
    let code = reason
        .or_else(|| violation?["type"].as_str())
        .filter(|code| !code.is_empty())
        .unwrap_or(canonical);
    let kind = kind(status, canonical, reason, effect);
    let mut message = words(text, status, operation);
    if let Some(said) = violation.and_then(|violation| violation["description"].as_str())
        && !message.contains(said)
    {
        message = clean(&format!("{message} {said}"));
    }
    let mut failure = Failure::new(
        kind,
        if code.is_empty() {
            format!("Http{status}")
        } else {
            clean(code)
        },
        message,
    );
    if kind == FailureKind::Denied {
        let metadata = |name: &str| Some(info?["metadata"][name].as_str()?.to_owned());
        failure.action = metadata("permission").or_else(|| quoted_permission(text));
        failure.resource = metadata("resource");
    }
    failure
}

fn kind(status: u16, canonical: &str, reason: Option<&str>, effect: Effect) -> FailureKind {
    use FailureKind as K;
    match canonical {
        "UNAVAILABLE" => K::Unavailable,
        "RESOURCE_EXHAUSTED" if status == 429 => K::Throttled,
        "RESOURCE_EXHAUSTED" if reason == Some("RATE_LIMIT_EXCEEDED") => K::Throttled,
        "RESOURCE_EXHAUSTED" => K::Quota,
        "UNAUTHENTICATED" => K::Unauthorized,
        "PERMISSION_DENIED" if reason == Some("RATE_LIMIT_EXCEEDED") => K::Throttled,
        "PERMISSION_DENIED" => K::Denied,
        "NOT_FOUND" => K::NotFound,
        "ALREADY_EXISTS" => K::AlreadyExists,
        "ABORTED" => K::Busy,
        "FAILED_PRECONDITION" | "INVALID_ARGUMENT" | "OUT_OF_RANGE" => K::Invalid,
        _ => match (status, effect) {
            (429, _) => K::Throttled,
            (503, _) => K::Unavailable,
            // Something broke on the way: perhaps after it was accepted.
            (500.., Effect::Mutation) => K::Unknown,
            (500.., Effect::Read) => K::Unavailable,
            (403, _) => K::Denied,
            (401, _) => K::Unauthorized,
            (404, _) => K::NotFound,
            _ => K::Invalid,
        },
    }
}

/// RFC 6749, section 5.2. What is refused is the credential that was shown, so
/// the one who shows it decides what that means.
fn of_oauth(status: u16, code: &str, text: &str, operation: &str) -> Failure {
    let kind = match (status, code) {
        (429, _) => FailureKind::Throttled,
        (500.., _) | (_, "internal_failure" | "server_error" | "temporarily_unavailable") => {
            FailureKind::Unavailable
        }
        (_, "invalid_request" | "unsupported_grant_type" | "invalid_scope") => FailureKind::Invalid,
        _ => FailureKind::Denied,
    };
    Failure::new(kind, clean(code), words(text, status, operation))
}

fn detail<'a>(error: &'a Value, kind: &str) -> Option<&'a Value> {
    error["details"].as_array()?.iter().find(|detail| {
        detail["@type"]
            .as_str()
            .is_some_and(|found| found.ends_with(kind))
    })
}

/// `Permission 'iam.roles.get' denied on …`: older services say it in words
/// only.
fn quoted_permission(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("ermission '")?;
    let (permission, _) = rest.split_once('\'')?;
    permission
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/' | b'_'))
        .then(|| permission.to_owned())
}

fn words(text: &str, status: u16, operation: &str) -> String {
    if text.trim().is_empty() {
        clean(&format!("{operation} was answered with {status}"))
    } else {
        clean(text)
    }
}

/// One line, not too long, and without anything that looks like a credential:
/// no service repeats one, and nothing shall depend on that.
fn clean(text: &str) -> String {
    let mut line = text
        .split_whitespace()
        .map(|word| {
            let secret = ["eyJ", "ya29.", "-----BEGIN"]
                .iter()
                .any(|mark| word.contains(mark));
            if secret { "(hidden)" } else { word }
        })
        .collect::<Vec<_>>()
        .join(" ");
    line.retain(|c| !c.is_control());
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// The request may have been taken although its answer was not read.
pub(crate) fn no_answer(error: &reqwest::Error, operation: &str, effect: Effect) -> Failure {
    let mut causes = Vec::new();
    let mut current = error.source();
    while let Some(cause) = current {
        causes.push(cause.to_string());
        current = cause.source();
    }
    let why = causes.pop().unwrap_or_else(|| "no reason given".to_owned());
    let kind = match effect {
        Effect::Mutation if !error.is_connect() => FailureKind::Unknown,
        _ => FailureKind::Unavailable,
    };
    Failure::new(
        kind,
        "NoAnswer",
        clean(&format!("{operation} got no answer: {why}")),
    )
}

pub(crate) fn malformed(operation: &str, what: &str, effect: Effect) -> Failure {
    let kind = match effect {
        Effect::Read => FailureKind::Unavailable,
        Effect::Mutation => FailureKind::Unknown,
    };
    Failure::new(
        kind,
        "MalformedAnswer",
        format!("{operation} was answered with {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(status: u16, body: &Value) -> Failure {
        from_answer(
            status,
            body.to_string().as_bytes(),
            "iam: GET x",
            Effect::Read,
        )
    }

    #[test]
    fn the_reason_is_the_code() {
        let failure = of(
            403,
            &json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "IAM API has not been used", "details": [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "metadata": {"service": "iam.googleapis.com"}},
            ]}}),
        );
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Denied, SERVICE_DISABLED)
        );
        let failure = of(
            403,
            &json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "Permission 'iam.roles.get' denied on resource (or it may not exist)."}}),
        );
        assert_eq!(failure.action.as_deref(), Some("iam.roles.get"));
        let failure = of(
            400,
            &json!({"error": {"code": 400, "status": "FAILED_PRECONDITION", "message": "One or more users named in the policy do not belong to a permitted customer.", "details": [
                {"@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": [{"type": "constraints/iam.allowedPolicyMemberDomains", "subject": "s", "description": "User x is not in permitted organization."}]},
            ]}}),
        );
        assert_eq!(failure.code, "constraints/iam.allowedPolicyMemberDomains");
        assert!(failure.message.contains("permitted organization"));
    }

    #[test]
    fn trouble_is_told_from_refusal() {
        use FailureKind as K;
        let table = [
            (
                429,
                json!({"error": {"status": "RESOURCE_EXHAUSTED"}}),
                K::Throttled,
            ),
            (
                500,
                json!({"error": {"status": "INTERNAL"}}),
                K::Unavailable,
            ),
            (503, json!("nothing"), K::Unavailable),
            (
                401,
                json!({"error": {"status": "UNAUTHENTICATED"}}),
                K::Unauthorized,
            ),
            (409, json!({"error": {"status": "ABORTED"}}), K::Busy),
            (
                409,
                json!({"error": {"status": "ALREADY_EXISTS"}}),
                K::AlreadyExists,
            ),
            (
                400,
                json!({"error": "invalid_grant", "error_description": "no"}),
                K::Denied,
            ),
            (400, json!({"error": "invalid_target"}), K::Denied),
            (500, json!({"error": "internal_failure"}), K::Unavailable),
            (404, json!({}), K::NotFound),
        ];
        for (status, body, kind) in table {
            assert_eq!(of(status, &body).kind, kind, "{status} {body}");
        }
        let lost = from_answer(502, b"<html>", "x", Effect::Mutation);
        assert_eq!(lost.kind, K::Unknown);
    }

    #[test]
    fn what_looks_like_a_credential_is_hidden() {
        let failure = of(
            400,
            &json!({"error": "invalid_grant", "error_description": "bad token eyJhbGciOi.x.y for\nya29.abc"}),
        );
        assert_eq!(failure.message, "bad token (hidden) for (hidden)");
    }
}
