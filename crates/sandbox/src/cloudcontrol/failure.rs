//! How operations fail: in the answer to the call, or later in its progress.

use crate::wire::AwsError;
use serde::{Deserialize, Serialize};

/// AWS docs: Cloud Control API, HandlerErrorCode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum HandlerErrorCode {
    NotUpdatable,
    InvalidRequest,
    AccessDenied,
    UnauthorizedTaggingOperation,
    InvalidCredentials,
    AlreadyExists,
    NotFound,
    ResourceConflict,
    Throttling,
    ServiceLimitExceeded,
    NotStabilized,
    GeneralServiceException,
    ServiceInternalError,
    ServiceTimeout,
    NetworkFailure,
    InternalFailure,
}

impl HandlerErrorCode {
    const ALL: [(Self, &'static str); 16] = [
        (Self::NotUpdatable, "NotUpdatable"),
        (Self::InvalidRequest, "InvalidRequest"),
        (Self::AccessDenied, "AccessDenied"),
        (
            Self::UnauthorizedTaggingOperation,
            "UnauthorizedTaggingOperation",
        ),
        (Self::InvalidCredentials, "InvalidCredentials"),
        (Self::AlreadyExists, "AlreadyExists"),
        (Self::NotFound, "NotFound"),
        (Self::ResourceConflict, "ResourceConflict"),
        (Self::Throttling, "Throttling"),
        (Self::ServiceLimitExceeded, "ServiceLimitExceeded"),
        (Self::NotStabilized, "NotStabilized"),
        (Self::GeneralServiceException, "GeneralServiceException"),
        (Self::ServiceInternalError, "ServiceInternalError"),
        (Self::ServiceTimeout, "ServiceTimeout"),
        (Self::NetworkFailure, "NetworkFailure"),
        (Self::InternalFailure, "InternalFailure"),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(code, _)| *code == self)
            .map_or("InternalFailure", |(_, name)| name)
    }

    /// The code that a fault names; an unknown one is a general failure.
    pub(crate) fn from_name(name: &str) -> Self {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map_or(Self::GeneralServiceException, |(code, _)| *code)
    }

    /// The exception that a read or list answers with when its handler fails.
    fn exception(self) -> &'static str {
        match self {
            Self::NotUpdatable => "NotUpdatableException",
            Self::InvalidRequest => "InvalidRequestException",
            Self::AccessDenied | Self::UnauthorizedTaggingOperation => "AccessDeniedException",
            Self::InvalidCredentials => "InvalidCredentialsException",
            Self::AlreadyExists => "AlreadyExistsException",
            Self::NotFound => "ResourceNotFoundException",
            Self::ResourceConflict => "ResourceConflictException",
            Self::Throttling => "ThrottlingException",
            Self::ServiceLimitExceeded => "ServiceLimitExceededException",
            Self::NotStabilized => "NotStabilizedException",
            Self::GeneralServiceException => "GeneralServiceException",
            Self::ServiceInternalError | Self::ServiceTimeout => "ServiceInternalErrorException",
            Self::NetworkFailure => "NetworkFailureException",
            Self::InternalFailure => "HandlerInternalFailureException",
        }
    }
}

/// A handler's failure, as a progress event tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub(crate) struct Failure {
    pub code: HandlerErrorCode,
    pub message: String,
}

impl Failure {
    pub(crate) fn new(code: HandlerErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(HandlerErrorCode::InvalidRequest, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(HandlerErrorCode::NotFound, message)
    }

    pub(crate) fn exists(message: impl Into<String>) -> Self {
        Self::new(HandlerErrorCode::AlreadyExists, message)
    }

    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self::new(HandlerErrorCode::GeneralServiceException, message)
    }

    /// What another service's error becomes on its way through a handler.
    pub(crate) fn from_service(error: &AwsError) -> Self {
        let code = match error.code.as_ref() {
            "NoSuchEntity" => HandlerErrorCode::NotFound,
            "EntityAlreadyExists" => HandlerErrorCode::AlreadyExists,
            "LimitExceeded" => HandlerErrorCode::ServiceLimitExceeded,
            "DeleteConflict" => HandlerErrorCode::ResourceConflict,
            _ => HandlerErrorCode::InvalidRequest,
        };
        Self::new(code, error.message.clone())
    }

    /// The same failure as the immediate answer of a read or list.
    pub(crate) fn into_answer(self, type_name: &str, request_token: &str) -> AwsError {
        AwsError::bad(
            self.code.exception(),
            format!(
                "{type_name} Handler returned status FAILED: {} (HandlerErrorCode: {}, \
                 RequestToken: {request_token})",
                self.message,
                self.code.as_str()
            ),
        )
    }
}

pub(super) fn validation(message: impl Into<String>) -> AwsError {
    AwsError::bad("ValidationException", message)
}

pub(super) fn unknown_type(type_name: &str) -> AwsError {
    AwsError::bad(
        "TypeNotFoundException",
        format!("The type '{type_name}' cannot be found."),
    )
}

pub(super) fn unsupported(type_name: &str, action: &str) -> AwsError {
    AwsError::bad(
        "UnsupportedActionException",
        format!("Resource type {type_name} does not support {action} action"),
    )
}

pub(super) fn resource_not_found(type_name: &str, identifier: &str) -> Failure {
    Failure::not_found(format!(
        "Resource of type '{type_name}' with identifier '{identifier}' was not found."
    ))
}

pub(super) fn concurrent(type_name: &str, identifier: &str) -> AwsError {
    AwsError::bad(
        "ConcurrentOperationException",
        format!(
            "Another resource operation is currently being performed on this resource: \
             {type_name} {identifier}"
        ),
    )
}
