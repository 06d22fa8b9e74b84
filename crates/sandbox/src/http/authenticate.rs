//! From a signature to a caller.

use super::dispatch::form;
use super::request::Captured;
use super::sigv4::{AuthError, S3, Unverified};
use crate::clock::Instant;
use crate::iam::{self, Caller};
use crate::shared::Shared;
use crate::wire::{AwsError, Protocol, Service};
use crate::world::{REGIONS, World};

/// A request whose signature holds.
pub(super) struct Authenticated {
    pub caller: Caller,
    pub service: Service,
    pub region: String,
    /// The time by the clock that the client follows.
    pub client_now: Instant,
}

/// Checks who signed a request, and that the region knows the signer. An error
/// comes with the service in whose protocol it is to be written.
pub(super) fn authenticate(
    shared: &Shared,
    request: &Captured,
) -> Result<Authenticated, (Service, AwsError)> {
    let guessed = guess_service(request);
    let unverified =
        Unverified::read(request).map_err(|error| (guessed, auth_error(guessed, &error)))?;
    let Some(service) = Service::from_signing_name(&unverified.service) else {
        let message = format!(
            "Credential should be scoped to correct service: {} is not served here.",
            unverified.service
        );
        return Err((
            guessed,
            AwsError::new(403, "SignatureDoesNotMatch", message),
        ));
    };
    let world = shared.world();
    let (caller, client_now) = identify(&world, request, &unverified)
        .map_err(|error| (service, auth_error(service, &error)))?;
    check_region(&world, &caller, service, &unverified.region).map_err(|error| (service, error))?;
    Ok(Authenticated {
        caller,
        service,
        region: unverified.region.clone(),
        client_now,
    })
}

/// Whose signature this is, and the time by the clock that the signer follows.
fn identify(
    world: &World,
    request: &Captured,
    unverified: &Unverified,
) -> Result<(Caller, Instant), AuthError> {
    let (secret, caller, token, expires) =
        if let Some(key) = world.keys.get(&unverified.access_key_id) {
            let caller = Caller::administrator(&key.account);
            (&key.secret_access_key, caller, None, None)
        } else if let Some(session) = world.sessions.get(&unverified.access_key_id) {
            (
                &session.secret_access_key,
                session.caller.clone(),
                Some(&session.session_token),
                Some(session.expires),
            )
        } else {
            return Err(AuthError::UnknownKey);
        };
    if token != unverified.security_token.as_ref() {
        return Err(AuthError::UnknownKey);
    }
    unverified.verify(request, secret)?;
    let client_now = unverified.check_date(&world.clock)?;
    if expires.is_some_and(|expires| expires <= world.clock.wall()) {
        return Err(AuthError::Expired);
    }
    // A deleted role takes its sessions with it.
    if !iam::exists(world, &caller) {
        return Err(AuthError::UnknownKey);
    }
    Ok((caller, client_now))
}

/// Checks who signed a request for an object.
pub(super) fn authenticate_s3(world: &World, request: &Captured) -> Result<Caller, AwsError> {
    let unverified = Unverified::read(request).map_err(|error| s3_error(&error))?;
    if unverified.service != S3 {
        return Err(malformed(format!(
            "The authorization header is malformed; incorrect service \"{}\". This endpoint \
             belongs to \"{S3}\".",
            unverified.service
        )));
    }
    let (caller, _) = identify(world, request, &unverified).map_err(|error| s3_error(&error))?;
    let enabled = world
        .account(&caller.account_id)
        .is_ok_and(|account| account.region_enabled(&unverified.region));
    if enabled {
        Ok(caller)
    } else {
        Err(malformed(format!(
            "The authorization header is malformed; the region '{}' is wrong.",
            unverified.region
        )))
    }
}

fn malformed(message: String) -> AwsError {
    AwsError::bad("AuthorizationHeaderMalformed", message)
}

/// AWS docs: "Amazon S3 error responses".
fn s3_error(error: &AuthError) -> AwsError {
    let (status, code) = match error {
        AuthError::Missing => return AwsError::new(403, "AccessDenied", "Access Denied"),
        AuthError::Unsigned(_) => (403, "AccessDenied"),
        AuthError::Incomplete(_) => (400, "AuthorizationHeaderMalformed"),
        AuthError::UnknownKey => (403, "InvalidAccessKeyId"),
        AuthError::Mismatch => (403, "SignatureDoesNotMatch"),
        AuthError::Skewed(_) => (403, "RequestTimeTooSkewed"),
        AuthError::Expired => (400, "ExpiredToken"),
    };
    AwsError::new(status, code, error.to_string())
}

/// IAM and Account are global. Elsewhere a region that the account has not
/// opted into does not know the account's keys at all.
fn check_region(
    world: &World,
    caller: &Caller,
    service: Service,
    region: &str,
) -> Result<(), AwsError> {
    if matches!(service, Service::Iam | Service::Account) {
        return Ok(());
    }
    if !REGIONS.iter().any(|(name, _)| *name == region) {
        return Err(AwsError::new(
            403,
            match service.protocol() {
                Protocol::Query => "SignatureDoesNotMatch",
                _ => "InvalidSignatureException",
            },
            format!("Credential should be scoped to a valid region, not '{region}'."),
        ));
    }
    let enabled = world
        .account(&caller.account_id)
        .is_ok_and(|account| account.region_enabled(region));
    if enabled {
        Ok(())
    } else {
        Err(auth_error(service, &AuthError::UnknownKey))
    }
}

/// The code and status that each protocol gives to the same failure.
fn auth_error(service: Service, error: &AuthError) -> AwsError {
    let json = service.protocol() != Protocol::Query;
    let code = match (error, json) {
        (AuthError::Missing, false) => "MissingAuthenticationToken",
        (AuthError::Missing, true) => "MissingAuthenticationTokenException",
        (AuthError::Incomplete(_), false) => "IncompleteSignature",
        (AuthError::Incomplete(_), true) => "IncompleteSignatureException",
        (AuthError::UnknownKey, false) => "InvalidClientTokenId",
        (AuthError::UnknownKey, true) => "UnrecognizedClientException",
        (AuthError::Mismatch | AuthError::Unsigned(_) | AuthError::Skewed(_), false) => {
            "SignatureDoesNotMatch"
        }
        (AuthError::Mismatch | AuthError::Unsigned(_) | AuthError::Skewed(_), true) => {
            "InvalidSignatureException"
        }
        (AuthError::Expired, false) => "ExpiredToken",
        (AuthError::Expired, true) => "ExpiredTokenException",
    };
    let status = match service.protocol() {
        Protocol::Json10 => 400,
        Protocol::Query | Protocol::RestJson => 403,
    };
    AwsError::new(status, code, error.to_string())
}

/// Whom a request without a usable signature is for, so that the refusal is
/// written in a protocol that its sender understands.
fn guess_service(request: &Captured) -> Service {
    if request.headers.contains_key("x-amz-target") {
        return Service::CloudControl;
    }
    if request.path != "/" {
        return Service::Account;
    }
    match form(request).get("Version") {
        Some("2010-05-08") => Service::Iam,
        Some("2010-05-15") => Service::CloudFormation,
        _ => Service::Sts,
    }
}
