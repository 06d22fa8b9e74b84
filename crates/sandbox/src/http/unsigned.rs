//! The one call that carries no signature: a token speaks for its caller.

use super::dispatch::{form, perform, subject};
use super::request::Captured;
use crate::log::Entry;
use crate::shared::Shared;
use crate::wire::{Call, Input, Rendered, Service};
use crate::{issuers, sts};

const OPERATION: &str = "AssumeRoleWithWebIdentity";
/// A call without a signature does not say which regional endpoint it meant.
const REGION: &str = "us-east-1";

/// Whether a request is that call. A signature that it carries all the same is
/// not looked at (AWS docs: "AssumeRoleWithWebIdentity").
pub(super) fn concerns(request: &Captured) -> bool {
    if request.path != "/" || request.headers.contains_key("x-amz-target") {
        return false;
    }
    let params = form(request);
    params.get("Action") == Some(OPERATION) && params.get("Version") == Some("2011-06-15")
}

/// Fetches the keys of the token's issuer, then lets STS decide.
pub(super) async fn act(
    shared: &Shared,
    request: &Captured,
    request_id: &str,
    entry: &mut Entry,
) -> (Rendered, bool) {
    let params = form(request);
    let (issuer, account, now) = {
        let world = shared.world();
        let role = params.get("RoleArn").unwrap_or_default();
        (
            sts::issuer_to_ask(&world, &params),
            sts::account_of(&world, role).map(|account| account.id.clone()),
            world.clock.machine(),
        )
    };
    let keys = match &issuer {
        Some(issuer) => Some(issuers::key_set(shared, issuer).await),
        None => None,
    };
    let call = Call {
        service: Service::Sts,
        operation: OPERATION.to_owned(),
        region: REGION.to_owned(),
        input: Input::Query(params),
        request_id: request_id.to_owned(),
        client_now: now,
    };
    entry.service = Service::Sts.name().to_owned();
    entry.region = REGION.to_owned();
    entry.account.clone_from(&account);
    entry.operation.clone_from(&call.operation);
    entry.session_name = call
        .input
        .params()
        .get("RoleSessionName")
        .map(str::to_owned);
    entry.subject = subject(&call);
    perform(
        shared,
        account.as_deref().unwrap_or_default(),
        &call,
        entry,
        || sts::assume_role_with_web_identity(shared, &call, keys),
    )
}
