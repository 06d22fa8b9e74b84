//! Keys of other issuers, fetched as Entra fetches them.

use super::super::request::Request;
use crate::issuers;
use crate::jwt::{KeySet, Unverified};
use crate::shared::Shared;

/// What was found at the issuer that an assertion names.
#[derive(Debug, Clone)]
pub(in super::super) enum Keys {
    /// No assertion, or nobody federates with its issuer.
    NotNeeded,
    Found {
        issuer: String,
        keys: KeySet,
    },
    Unreachable {
        issuer: String,
        why: String,
    },
}

/// Fetches the keys that this request's assertion needs. Only issuers that some
/// credential names are asked: an assertion cannot make the sandbox call
/// anybody.
pub(in super::super) async fn foreign_keys(shared: &Shared, request: &Request) -> Keys {
    if request.segments.last().is_none_or(|last| last != "token") {
        return Keys::NotNeeded;
    }
    let form = request.form();
    let Some(issuer) = form
        .get("client_assertion")
        .and_then(|assertion| Unverified::read(assertion).ok())
        .map(|token| token.text("iss").to_owned())
    else {
        return Keys::NotNeeded;
    };
    let federated = shared.world().azure.tenants.values().any(|tenant| {
        let mut all = tenant.applications.values().flat_map(|app| &app.federated);
        all.any(|credential| credential.issuer == issuer)
    });
    if !federated {
        return Keys::NotNeeded;
    }
    match issuers::key_set(shared, &issuer).await {
        Ok(keys) => Keys::Found { issuer, keys },
        Err(error) => Keys::Unreachable {
            issuer,
            why: error.to_string(),
        },
    }
}
