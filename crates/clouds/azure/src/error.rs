//! What Azure's three services answer when they do not do it.

use landfall_model::driver::{Failure, FailureKind};
use serde_json::Value;

/// Which service answered: each writes its errors in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Entra,
    ResourceManager,
    Graph,
}

impl Service {
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Entra => "Entra",
            Self::ResourceManager => "Resource Manager",
            Self::Graph => "Microsoft Graph",
        }
    }
}

/// A refusal's words are shown to people: not more of them than they read.
const LONGEST_MESSAGE: usize = 600;

/// From an answer that is no success.
pub(crate) fn of_answer(service: Service, status: u16, body: &[u8]) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    match service {
        Service::Entra => of_entra(status, &body),
        Service::ResourceManager | Service::Graph => of_others(service, status, &body),
    }
}

/// No answer came, or none that can be read.
pub(crate) fn of_transport(service: Service, error: &reqwest::Error) -> Failure {
    let why = if error.is_timeout() {
        "did not answer in time"
    } else if error.is_connect() {
        "could not be reached"
    } else {
        "broke off its answer"
    };
    // Without the URL, in which a tenant or a filter may stand.
    Failure::new(
        FailureKind::Unavailable,
        "NoAnswer",
        format!("{} {why}", service.title()),
    )
}

pub(crate) fn unreadable(service: Service) -> Failure {
    Failure::new(
        FailureKind::Unavailable,
        "UnreadableAnswer",
        format!("{} answered with something else than JSON", service.title()),
    )
}

fn shortened(text: &str) -> String {
    // Entra appends a trace id, a correlation id and the time.
    let text = text.split(" Trace ID:").next().unwrap_or(text);
    let text = text.lines().next().unwrap_or_default().trim();
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Microsoft Learn: "Microsoft Entra authentication and authorization error
/// codes".
fn of_entra(status: u16, body: &Value) -> Failure {
    let number = body["error_codes"][0].as_u64();
    let text = body["error_description"].as_str().unwrap_or_default();
    let code = match number {
        Some(number) => format!("AADSTS{number}"),
        None => body["error"].as_str().unwrap_or("unknown").to_owned(),
    };
    let kind = match (status, number.unwrap_or_default()) {
        (429, _) | (_, 90_055) => FailureKind::Throttled,
        (500.., _) | (_, 90_033) => FailureKind::Unavailable,
        // Entra cannot fetch our keys, or does not see the one that signed:
        // the trouble is here, and no grant is revoked by it.
        (_, 50_166 | 50_167 | 5_001_660) => FailureKind::Unavailable,
        (_, 700_027) if text.contains("key was not found") => FailureKind::Unavailable,
        // Our clock is off.
        (_, 700_024) => FailureKind::Unavailable,
        (_, 0) => FailureKind::Invalid,
        _ => FailureKind::Denied,
    };
    let text = shortened(text);
    let message = if text.is_empty() {
        format!("Entra answered {status} {code}")
    } else if text.starts_with(&code) {
        text
    } else {
        format!("{code}: {text}")
    };
    Failure::new(kind, code, message)
}

/// Resource Manager and Graph: `{"error": {"code", "message"}}`.
fn of_others(service: Service, status: u16, body: &Value) -> Failure {
    let error = &body["error"];
    let code = error["code"]
        .as_str()
        .map_or_else(|| format!("Http{status}"), str::to_owned);
    let text = shortened(error["message"].as_str().unwrap_or_default());
    let kind = match (status, code.as_str()) {
        (429, _) => FailureKind::Throttled,
        (500.., _) | (408, _) => FailureKind::Unavailable,
        (_, "ScopeLocked") => FailureKind::Protected,
        (401, _) => FailureKind::Unauthorized,
        (403, _) => FailureKind::Denied,
        (404, _) => FailureKind::NotFound,
        (409, "Conflict" | "AnotherOperationInProgress") => FailureKind::Busy,
        _ => FailureKind::Invalid,
    };
    let message = if text.is_empty() {
        format!("{} answered {status} {code}", service.title())
    } else {
        format!("{code}: {text}")
    };
    let mut failure = Failure::new(kind, code, message);
    failure.action = quoted_after(&text, "perform action '");
    failure.resource = quoted_after(&text, "over scope '");
    failure
}

fn quoted_after(text: &str, mark: &str) -> Option<String> {
    let (_, rest) = text.split_once(mark)?;
    let (value, _) = rest.split_once('\'')?;
    Some(value.to_owned())
}

/// Whether a refusal may be an identity that Azure has not spread everywhere.
/// `seen` says that it worked before: then even what is otherwise a mistake of
/// the customer's (a wrong secret, no such application) may be a replica that
/// does not know yet.
pub(crate) fn may_settle(failure: &Failure, seen: bool) -> bool {
    match failure.code.as_str() {
        // No matching federated credential: at all, for the issuer, for the
        // audience, for the subject.
        "AADSTS70021" | "AADSTS700211" | "AADSTS700212" | "AADSTS700213" | "AADSTS70025"
        // The application has no service principal here yet.
        | "AADSTS7000229" | "AuthorizationFailed" | "Authorization_RequestDenied"
        | "LinkedAuthorizationFailed" => true,
        "AADSTS7000215" | "AADSTS700016" => seen,
        _ => false,
    }
}

/// Whether Graph refused because the application has no permission there: then
/// nothing can be said of what it was asked for.
pub(crate) fn not_permitted(failure: &Failure) -> bool {
    matches!(
        failure.code.as_str(),
        "Authorization_RequestDenied" | "Authorization_IdentityNotFound"
    )
}

/// Whether an assertion was refused for what it is, as a check wants it.
pub(crate) fn refuses_assertion(failure: &Failure) -> bool {
    failure.kind == FailureKind::Denied
        || failure.code == "AADSTS700024"
        || (failure.code == "AADSTS700027" && !failure.message.contains("key was not found"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entra(status: u16, number: u64, text: &str) -> Failure {
        let body = json!({
            "error": "invalid_client",
            "error_description": format!("AADSTS{number}: {text} Trace ID: 1 Correlation ID: 2"),
            "error_codes": [number],
        });
        of_answer(Service::Entra, status, body.to_string().as_bytes())
    }

    #[test]
    fn entra_is_told_apart() {
        use FailureKind::{Denied, Throttled, Unavailable};
        for (status, number, text, kind) in [
            (400, 90_002, "Tenant 'x' not found.", Denied),
            (401, 7_000_215, "Invalid client secret provided.", Denied),
            (
                401,
                700_213,
                "No matching federated identity record",
                Denied,
            ),
            (
                401,
                700_027,
                "failed. [Reason - The key was not found.]",
                Unavailable,
            ),
            (
                401,
                700_027,
                "failed. [Reason - The signature is invalid.]",
                Denied,
            ),
            (
                401,
                50_166,
                "Request to external OIDC endpoint failed",
                Unavailable,
            ),
            (429, 90_055, "Too many", Throttled),
            (503, 90_033, "A transient error", Unavailable),
        ] {
            let failure = entra(status, number, text);
            assert_eq!(failure.kind, kind, "{failure:?}");
            assert_eq!(failure.code, format!("AADSTS{number}"));
            assert!(!failure.message.contains("Trace ID"), "{failure}");
        }
        assert!(refuses_assertion(&entra(
            401,
            700_024,
            "not within its time"
        )));
        assert!(!refuses_assertion(&entra(
            401,
            700_027,
            "The key was not found."
        )));
    }

    #[test]
    fn a_denial_names_action_and_scope() {
        let body = json!({"error": {"code": "AuthorizationFailed", "message":
            "The client 'a' with object id 'a' does not have authorization to perform action \
             'Microsoft.Resources/subscriptions/read' over scope '/subscriptions/x' or the scope \
             is invalid."}});
        let failure = of_answer(Service::ResourceManager, 403, body.to_string().as_bytes());
        assert_eq!(failure.kind, FailureKind::Denied);
        assert_eq!(
            failure.action.as_deref(),
            Some("Microsoft.Resources/subscriptions/read")
        );
        assert_eq!(failure.resource.as_deref(), Some("/subscriptions/x"));
    }

    #[test]
    fn what_is_no_json_is_still_an_answer() {
        for service in [Service::Entra, Service::ResourceManager, Service::Graph] {
            let failure = of_answer(service, 502, b"<html>");
            assert_eq!(failure.kind, FailureKind::Unavailable);
            let failure = of_answer(service, 418, b"");
            assert!(!failure.message.is_empty());
        }
        let long = json!({"error": {"code": "X", "message": "ä".repeat(5_000)}});
        let failure = of_answer(Service::Graph, 400, long.to_string().as_bytes());
        assert!(failure.message.len() < 2_000);
    }
}
