use super::*;
use FailureKind as K;

#[test]
fn service_codes_map_to_what_the_engine_does_next() {
    let table = [
        ("ThrottlingException", "Rate exceeded", 400, K::Throttled),
        ("Throttling", "", 400, K::Throttled),
        ("RequestLimitExceeded", "", 503, K::Throttled),
        ("ServiceInternalErrorException", "", 500, K::Unavailable),
        ("HandlerInternalFailureException", "", 502, K::Unavailable),
        ("ServiceUnavailable", "", 503, K::Unavailable),
        ("ConcurrentOperationException", "", 409, K::Busy),
        (
            "ResourceConflictException",
            "is being modified",
            409,
            K::Busy,
        ),
        (
            "ResourceConflictException",
            "DependencyViolation: The vpc has dependencies",
            409,
            K::InUse,
        ),
        ("AccessDeniedException", "no", 400, K::Denied),
        (
            "com.amazon.coral.service#AccessDeniedException",
            "",
            400,
            K::Denied,
        ),
        ("ExpiredTokenException", "", 400, K::Unauthorized),
        ("ExpiredToken", "", 403, K::Unauthorized),
        ("InvalidClientTokenId", "", 403, K::Unauthorized),
        ("UnrecognizedClientException", "", 400, K::Unauthorized),
        ("InvalidCredentialsException", "", 401, K::Unauthorized),
        ("SignatureDoesNotMatch", "", 403, K::Unauthorized),
        ("ResourceNotFoundException", "", 404, K::NotFound),
        ("RequestTokenNotFoundException", "", 404, K::Forgotten),
        ("AlreadyExistsException", "", 400, K::AlreadyExists),
        ("ServiceLimitExceededException", "", 402, K::Quota),
        ("UnsupportedActionException", "", 405, K::Invalid),
        ("TypeNotFoundException", "", 404, K::Invalid),
        ("ClientTokenConflictException", "", 409, K::Invalid),
        ("NotUpdatableException", "", 400, K::Invalid),
        (
            "InvalidRequestException",
            "Model validation failed",
            400,
            K::Invalid,
        ),
        (
            "ValidationException",
            "ClientToken must match",
            400,
            K::Invalid,
        ),
        (
            "GeneralServiceException",
            "The bucket you tried to delete is not empty (Service: S3)",
            400,
            K::InUse,
        ),
        (
            "GeneralServiceException",
            "Something went wrong",
            400,
            K::Unavailable,
        ),
        ("BrandNewException", "", 400, K::Invalid),
        ("BrandNewException", "", 403, K::Denied),
        ("BrandNewException", "", 429, K::Throttled),
        ("BrandNewException", "", 503, K::Unavailable),
    ];
    for (code, text, status, kind) in table {
        for effect in [Effect::Read, Effect::Mutation] {
            let failure = from_service(code, text, status, "op", effect);
            assert_eq!(failure.kind, kind, "{code} {text} {status}");
            assert!(!failure.message.is_empty());
        }
    }
}

#[test]
fn a_server_error_leaves_a_mutation_open_but_not_a_read() {
    for status in [500, 502, 504] {
        let read = from_service("InternalFailure", "", status, "op", Effect::Read);
        let write = from_service("InternalFailure", "", status, "op", Effect::Mutation);
        assert_eq!(read.kind, K::Unavailable);
        assert_eq!(write.kind, K::Unknown);
    }
}

#[test]
fn every_handler_error_code_maps() {
    let table = [
        ("AccessDenied", K::Denied),
        ("AlreadyExists", K::AlreadyExists),
        ("GeneralServiceException", K::Unavailable),
        ("InternalFailure", K::Unavailable),
        ("InvalidCredentials", K::Unauthorized),
        ("InvalidRequest", K::Invalid),
        ("NetworkFailure", K::Unavailable),
        ("NotFound", K::NotFound),
        ("NotStabilized", K::Unavailable),
        ("NotUpdatable", K::Invalid),
        ("ResourceConflict", K::Busy),
        ("ServiceInternalError", K::Unavailable),
        ("ServiceLimitExceeded", K::Quota),
        ("ServiceTimeout", K::Unavailable),
        ("Throttling", K::Throttled),
        ("UnauthorizedTaggingOperation", K::Denied),
    ];
    let known: Vec<&str> = table.iter().map(|(code, _)| *code).collect();
    assert_eq!(
        known,
        HandlerErrorCode::values(),
        "the SDK knows codes that this table does not"
    );
    for (code, kind) in table {
        let failure = from_handler(Some(&HandlerErrorCode::from(code)), "", "op");
        assert_eq!(failure.kind, kind, "{code}");
        assert_eq!(failure.code, code);
    }
}

#[test]
fn the_text_says_more_than_a_general_code() {
    let table = [
        (
            "InvalidRequest",
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
            K::Protected,
        ),
        (
            "GeneralServiceException",
            "The vpc 'vpc-0123' has dependencies and cannot be deleted. (Service: Ec2, Status Code: 400, Request ID: 1)",
            K::InUse,
        ),
        (
            "InvalidRequest",
            "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/x' that was provided for this task.",
            K::NotSettled,
        ),
        (
            "InvalidRequest",
            "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
            K::NotSettled,
        ),
        (
            "GeneralServiceException",
            "User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: s3:CreateBucket",
            K::Denied,
        ),
        (
            "InvalidRequest",
            "A DB instance already exists with that name",
            K::AlreadyExists,
        ),
        ("GeneralServiceException", "Rate exceeded", K::Throttled),
        (
            "InvalidRequest",
            "The maximum number of VPCs has been reached. (Error Code: VpcLimitExceeded)",
            K::Quota,
        ),
        // Not a matter of settling: this role will never work.
        (
            "InvalidRequest",
            "Role arn:aws:iam::1:role/x does not exist in this account",
            K::Invalid,
        ),
    ];
    for (code, text, kind) in table {
        let failure = from_handler(Some(&HandlerErrorCode::from(code)), text, "op");
        assert_eq!(failure.kind, kind, "{text}");
    }
}

#[test]
fn a_denial_names_the_action_and_the_resource() {
    let text = "User: arn:aws:sts::123456789012:assumed-role/landfall-provisioner-1/x is not \
                authorized to perform: rds:CreateDBInstance on resource: \
                arn:aws:rds:eu-central-1:123456789012:db:shop because no identity-based policy \
                allows the rds:CreateDBInstance action";
    let failure = from_service("AccessDeniedException", text, 400, "op", Effect::Mutation);
    assert_eq!(failure.action.as_deref(), Some("rds:CreateDBInstance"));
    assert_eq!(
        failure.resource.as_deref(),
        Some("arn:aws:rds:eu-central-1:123456789012:db:shop")
    );

    let bare = from_service("AccessDenied", "Access Denied", 403, "op", Effect::Read);
    assert_eq!((bare.action, bare.resource), (None, None));
}

#[test]
fn texts_are_readable_and_bounded() {
    let text = format!(
        "You are not authorized to perform this operation.\n Encoded authorization failure message: {}",
        "x".repeat(5000)
    );
    let failure = from_handler(Some(&HandlerErrorCode::AccessDenied), &text, "op");
    assert_eq!(
        failure.message,
        "You are not authorized to perform this operation."
    );
    let long = from_handler(None, &"ä ".repeat(5000), "op");
    assert!(long.message.chars().count() <= 1001);
}
