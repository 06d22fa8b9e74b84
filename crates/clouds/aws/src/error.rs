//! What AWS answers, as far as the engine must know.
//!
//! Three things are read: the error's code (or a handler's code), the HTTP
//! status, and, because Cloud Control passes most refusals of the services on
//! as `InvalidRequest` or `GeneralServiceException`, the text.

mod message;

use aws_sdk_cloudcontrol::types::HandlerErrorCode;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use landfall_model::driver::{Failure, FailureKind};
use std::error::Error;

/// Whether a call changes something: then an answer that never came leaves its
/// outcome open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Mutation,
}

/// `operation` is `cloudformation:CreateResource` or the like, for the text.
pub(crate) fn from_sdk<E>(
    error: SdkError<E, HttpResponse>,
    operation: &str,
    effect: Effect,
) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if let Some(failure) = find_failure(&error) {
        return failure;
    }
    match &error {
        SdkError::ServiceError(context) => {
            let inner = context.err();
            from_service(
                inner.code().unwrap_or("Unknown"),
                inner.message().unwrap_or_default(),
                context.raw().status().as_u16(),
                operation,
                effect,
            )
        }
        // Never left this machine: no credentials, or an endpoint that cannot
        // be resolved.
        SdkError::ConstructionFailure(_) => Failure::new(
            if causes(&error).contains("credentials") {
                FailureKind::Unauthorized
            } else {
                FailureKind::Invalid
            },
            "NotSent",
            message::clean(&format!(
                "{operation} could not be sent: {}",
                causes(&error)
            )),
        ),
        // TimeoutError, DispatchFailure, ResponseError and what may come: the
        // request may have been taken although its answer was not read.
        _ => Failure::new(
            match effect {
                Effect::Read => FailureKind::Unavailable,
                Effect::Mutation => FailureKind::Unknown,
            },
            "NoAnswer",
            message::clean(&format!("{operation} got no answer: {}", causes(&error))),
        ),
    }
}

/// Classifies an error answer of a service.
pub(crate) fn from_service(
    code: &str,
    text: &str,
    status: u16,
    operation: &str,
    effect: Effect,
) -> Failure {
    let code = bare(code);
    let kind = match kind_of_code(code) {
        Some(Known::Exactly(kind)) => kind,
        Some(Known::Unless(kind)) => message::kind(text).unwrap_or(kind),
        None => message::kind(text).unwrap_or(match (status, effect) {
            (429, _) => FailureKind::Throttled,
            (503, _) => FailureKind::Unavailable,
            // Something broke on the way: perhaps after it was accepted.
            (500.., Effect::Mutation) => FailureKind::Unknown,
            (500.., Effect::Read) => FailureKind::Unavailable,
            (403, _) => FailureKind::Denied,
            (401, _) => FailureKind::Unauthorized,
            _ => FailureKind::Invalid,
        }),
    };
    build(kind, code, text, operation)
}

/// Classifies why an asynchronous operation failed.
pub(crate) fn from_handler(
    code: Option<&HandlerErrorCode>,
    text: &str,
    operation: &str,
) -> Failure {
    let code = code.map_or("Failed", HandlerErrorCode::as_str);
    let kind = match kind_of_handler(code) {
        Known::Exactly(kind) => kind,
        Known::Unless(kind) => message::kind(text).unwrap_or(kind),
    };
    build(kind, code, text, operation)
}

/// Whether a fresh session may help: the one that was used is over, or the role
/// was made anew since.
pub(crate) fn is_stale_session(failure: &Failure) -> bool {
    matches!(
        failure.code.as_str(),
        "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
    )
}

fn build(kind: FailureKind, code: &str, text: &str, operation: &str) -> Failure {
    let text = if text.trim().is_empty() {
        format!("{operation} was answered with {code}")
    } else {
        message::clean(text)
    };
    let mut failure = Failure::new(kind, code, text);
    if kind == FailureKind::Denied {
        let denied = message::denied(&failure.message);
        failure.action = denied.action;
        failure.resource = denied.resource;
    }
    failure
}

/// How much a code says by itself.
#[derive(Clone, Copy, Debug)]
enum Known {
    Exactly(FailureKind),
    /// The text may say something more exact.
    Unless(FailureKind),
}

/// Codes of Cloud Control, STS, IAM and Account, and those common to all
/// services (AWS docs: each service's API reference, "Common errors").
fn kind_of_code(code: &str) -> Option<Known> {
    use FailureKind as K;
    use Known::{Exactly, Unless};
    Some(match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "BandwidthLimitExceeded"
        | "LimitExceededRate"
        | "PriorRequestNotComplete"
        | "SlowDown" => Exactly(K::Throttled),

        "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "NetworkFailureException"
        | "HandlerInternalFailureException" => Exactly(K::Unavailable),
        "ServiceInternalErrorException"
        | "HandlerFailureException"
        | "GeneralServiceException"
        | "NotStabilizedException" => Unless(K::Unavailable),

        "ConcurrentOperationException"
        | "ConcurrentModification"
        | "ConcurrentModificationException" => Exactly(K::Busy),
        "ResourceConflictException" | "DeleteConflict" => Unless(K::Busy),

        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "UnauthorizedTaggingOperation" => Exactly(K::Denied),

        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "AuthFailure"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "InvalidAccessKeyId"
        | "InvalidCredentialsException"
        | "NotAuthorized"
        | "OptInRequired"
        | "RequestExpired" => Exactly(K::Unauthorized),

        "ResourceNotFoundException" | "NoSuchEntity" | "NoSuchEntityException" => {
            Exactly(K::NotFound)
        }
        "RequestTokenNotFoundException" => Exactly(K::Forgotten),
        "AlreadyExistsException" | "EntityAlreadyExists" => Exactly(K::AlreadyExists),
        "ServiceLimitExceededException" | "LimitExceeded" | "LimitExceededException" => {
            Exactly(K::Quota)
        }

        "InvalidRequestException" | "ValidationException" | "ValidationError" => Unless(K::Invalid),
        "ClientTokenConflictException"
        | "NotUpdatableException"
        | "PrivateTypeException"
        | "TypeNotFoundException"
        | "UnsupportedActionException"
        | "MalformedPolicyDocument"
        | "PackedPolicyTooLarge"
        | "RegionDisabledException"
        | "InvalidAction"
        | "InvalidParameterValue"
        | "MalformedQueryString"
        | "MissingParameter" => Exactly(K::Invalid),
        _ => return None,
    })
}

/// Handler error codes (AWS docs: CloudFormation CLI, "Handler error codes").
fn kind_of_handler(code: &str) -> Known {
    use FailureKind as K;
    use Known::{Exactly, Unless};
    match code {
        "AccessDenied" | "UnauthorizedTaggingOperation" => Exactly(K::Denied),
        "InvalidCredentials" => Exactly(K::Unauthorized),
        "AlreadyExists" => Exactly(K::AlreadyExists),
        "NotFound" => Exactly(K::NotFound),
        "NotUpdatable" => Exactly(K::Invalid),
        "Throttling" => Exactly(K::Throttled),
        "ServiceLimitExceeded" => Exactly(K::Quota),
        "ResourceConflict" => Unless(K::Busy),
        "InvalidRequest" => Unless(K::Invalid),
        // `GeneralServiceException`, `ServiceInternalError`, `ServiceTimeout`,
        // `NetworkFailure`, `InternalFailure`, `NotStabilized`, and codes that
        // are not known yet: the operation is over, trying again is sensible.
        _ => Unless(K::Unavailable),
    }
}

/// JSON protocols may write a code with its namespace:
/// `com.amazon.coral.service#AccessDeniedException`.
fn bare(code: &str) -> &str {
    code.rsplit('#').next().unwrap_or(code)
}

/// A failure that our own credentials provider put into the chain.
fn find_failure(error: &(dyn Error + 'static)) -> Option<Failure> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return Some(failure.clone());
        }
        current = error.source();
    }
    None
}

/// The causes, outermost first, without repetition.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut current = error.source();
    while let Some(cause) = current {
        let text = cause.to_string();
        if said.last().is_none_or(|last| !last.contains(&text)) {
            said.push(text);
        }
        current = cause.source();
    }
    if said.is_empty() {
        error.to_string()
    } else {
        said.join(": ")
    }
}

#[cfg(test)]
mod tests;
