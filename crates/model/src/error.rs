//! Errors that a user meets: a stable code, what happened, what to do next.
//!
//! An error of a library never prints to a user: it is the `source` of one of
//! these, written to the log only.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $title:literal;)*) => {
        /// A stable error code. Its explanation is a section of `docs/errors.md`,
        /// printed by `landfall explain <code>` ([`explanation`]).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The HTTP status that the API answers with.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// One short line, the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }

        impl std::str::FromStr for Code {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text { $($text => Ok(Self::$name),)* _ => Err(()) }
            }
        }
    };
}

codes! {
    Internal = "internal", 500, "Something went wrong inside Landfall";
    StoreUnavailable = "store-unavailable", 503, "The database did not answer";
    RequestMalformed = "request-malformed", 400, "The request could not be read";
    MethodNotAllowed = "method-not-allowed", 405, "That cannot be done to this path";
    MediaTypeUnsupported = "media-type-unsupported", 415, "The body has another content type than this path takes";
    RequestTimeout = "request-timeout", 503, "The request took too long";
    RequestTooLarge = "request-too-large", 413, "The request is too large";
    RateLimited = "rate-limited", 429, "Too many requests";
    Unauthenticated = "unauthenticated", 401, "Sign in first";
    TokenExpired = "token-expired", 401, "The API token has expired or was revoked";
    CsrfRejected = "csrf-rejected", 403, "The form did not come from this page";
    Forbidden = "forbidden", 403, "Your role does not allow this";
    NotFound = "not-found", 404, "There is no such thing";
    VersionConflict = "version-conflict", 409, "Somebody else changed it first";
    NameInvalid = "name-invalid", 422, "The name cannot be used";
    NameTaken = "name-taken", 409, "The name is already in use";
    LimitReached = "limit-reached", 422, "A limit of this organization is reached";
    IdempotencyKeyReused = "idempotency-key-reused", 422, "The idempotency key was used for another request";
    IdempotencyKeyBusy = "idempotency-key-busy", 409, "The first request with this idempotency key is still running";
    MemberLastAdmin = "member-last-admin", 409, "An organization keeps at least one Admin";

    ConnectionAccountMalformed = "connection-account-malformed", 422, "That is not an account, project or subscription id";
    ConnectionPartitionUnknown = "connection-partition-unknown", 422, "Landfall does not know that partition";
    ConnectionRegionUnknown = "connection-region-unknown", 422, "That region does not exist or is not enabled";
    ConnectionMethodUnavailable = "connection-method-unavailable", 422, "The operator has not set up this method";
    ConnectionSecretMalformed = "connection-secret-malformed", 422, "That is not the key or secret that this method needs";
    ConnectionConsentRefused = "connection-consent-refused", 422, "The approval on the cloud's page did not count";
    ConnectionExternalIdRefused = "connection-external-id-refused", 422, "Landfall makes the external id itself";
    ConnectionDuplicate = "connection-duplicate", 409, "This organization is already connected to that account";
    ConnectionNotConnected = "connection-not-connected", 409, "The connection is not connected";
    ConnectionRevoked = "connection-revoked", 409, "The grant was taken back in the cloud account";
    ConnectionState = "connection-state", 409, "The connection cannot do that now";

    CloudDenied = "cloud-denied", 403, "The cloud refused a permission";
    CloudThrottled = "cloud-throttled", 503, "The cloud asks to slow down";
    CloudUnreachable = "cloud-unreachable", 502, "The cloud did not answer";
    CloudRejected = "cloud-rejected", 422, "The cloud refused the request";

    ScoreInvalid = "score-invalid", 422, "The Score file is not valid";
    ScorePlaceholder = "score-placeholder", 422, "A placeholder cannot be resolved";
    ScoreUnsupported = "score-unsupported", 422, "Landfall does not provision this yet";
    EnvironmentSettings = "environment-settings", 422, "The environment's settings are not valid";
    EnvironmentState = "environment-state", 409, "The environment cannot do that now";
    EnvironmentBusy = "environment-busy", 409, "A rollout of this environment is running";
    ApplicationState = "application-state", 409, "The application cannot do that now";

    PlanStale = "plan-stale", 409, "The world changed since the plan was made";
    PlanDigestMismatch = "plan-digest-mismatch", 409, "The approval is for another plan";
    PlanNotApproved = "plan-not-approved", 409, "The plan has not been approved";
    PlanNeedsPerson = "plan-needs-person", 409, "A person must approve this plan";
    PlanBlocked = "plan-blocked", 422, "The plan cannot be made";
    PlanState = "plan-state", 409, "The plan cannot do that now";

    RolloutState = "rollout-state", 409, "The rollout cannot do that now";
    RolloutFailed = "rollout-failed", 422, "The rollout failed";
    RetainedState = "retained-state", 409, "The retained resource cannot do that now";
    RetainedNameMismatch = "retained-name-mismatch", 422, "The typed name is not the resource's name";
    ReaperUnavailable = "reaper-unavailable", 409, "The reaper cannot be used";
    AuditBroken = "audit-broken", 500, "The audit log does not verify";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the code means, what causes it and what to do, as Markdown.
pub fn explanation(code: Code) -> &'static str {
    const PAGE: &str = include_str!("../../../docs/errors.md");
    PAGE.split("\n## ")
        .find_map(|section| section.strip_prefix(code.as_str())?.strip_prefix('\n'))
        .map_or("", str::trim)
}

/// Where in a file or request the error lies, 1-based.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// One thing that is wrong with an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Violation {
    /// The field (`account_id`) or path (`resources.db.type`).
    pub field: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// An error that a user may read: no secret and no internals in any field but
/// `source`, which goes to the log.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    pub code: Code,
    /// What happened, in a sentence.
    pub detail: String,
    /// What to do next, in a sentence; empty only where nothing can be done.
    pub next_step: String,
    pub violations: Vec<Violation>,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(code: Code, detail: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            next_step: next_step.into(),
            violations: Vec::new(),
            source: None,
        }
    }

    /// An error whose cause only the operator may read.
    pub fn internal(
        operation: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::new(
            Code::Internal,
            format!("{operation} failed"),
            "try again; if it stays, the server's log has the cause",
        )
        .with_source(source)
    }

    /// `noun` is a word, `id` what the user asked for. The same answer for what
    /// does not exist and for what belongs to another organization.
    pub fn not_found(noun: &str, id: impl std::fmt::Display) -> Self {
        Self::new(
            Code::NotFound,
            format!("there is no {noun} '{id}'"),
            format!("list them to find the right {noun}"),
        )
    }

    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    pub fn with_violation(
        mut self,
        field: impl Into<String>,
        message: impl Into<String>,
        position: Option<Position>,
    ) -> Self {
        self.violations.push(Violation {
            field: field.into(),
            message: message.into(),
            position,
        });
        self
    }
}

/// An error in the form that the API serves (`application/problem+json`,
/// RFC 9457) and that journals and events keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// `/errors/<code>` on the server that answered.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    pub code: Code,
    pub next_step: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        Self {
            kind: format!("/errors/{}", error.code),
            title: error.code.title().to_owned(),
            status: error.code.http_status(),
            detail: error.detail.clone(),
            code: error.code,
            next_step: error.next_step.clone(),
            violations: error.violations.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_parses_back() {
        for code in Code::ALL {
            assert_eq!(code.as_str().parse::<Code>(), Ok(*code));
            assert!((400..600).contains(&code.http_status()), "{code}");
            assert!(
                explanation(*code).contains("**Next:**"),
                "docs/errors.md needs a section '## {code}' that ends with '**Next:** what to do'"
            );
        }
    }
}
