//! From a bearer token to a caller, for Graph and Resource Manager.

use super::super::answer::Failure;
use super::super::request::Request;
use super::super::server::Context;
use super::super::state::Cloud;
use crate::jwt::Unverified;
use std::collections::BTreeSet;

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// With the app roles that were granted when the token was made.
    Application {
        app_id: String,
        roles: BTreeSet<String>,
    },
    User {
        global_administrator: bool,
    },
}

#[derive(Debug, Clone)]
pub(in super::super) struct Caller {
    pub tenant: String,
    pub object_id: String,
    pub kind: Kind,
}

/// Verifies the token of a request that is meant for one of these audiences.
pub(in super::super) fn verify(
    cloud: &Cloud,
    context: &Context,
    request: &Request,
    audiences: &[&str],
) -> Result<Caller, Failure> {
    let refused = |code: &'static str, message: &str| Failure::new(401, code, message);
    let graph = request.service() == super::super::answer::Service::Graph;
    let invalid = "InvalidAuthenticationToken";
    let token = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| {
            refused(
                if graph {
                    invalid
                } else {
                    "AuthenticationFailed"
                },
                "Authentication failed. The 'Authorization' header is missing.",
            )
        })?;
    let unverified = Unverified::read(token)
        .map_err(|_| refused(invalid, "The access token is invalid: it is malformed."))?;
    let signer = cloud.known_signer().and_then(Result::ok);
    if !signer.is_some_and(|signer| signer.signed(&unverified)) {
        return Err(refused(
            invalid,
            "The access token is invalid: its signature is not valid.",
        ));
    }
    let claims = unverified.claims;
    let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let audience = text("aud");
    if !audiences
        .iter()
        .any(|known| known.trim_end_matches('/') == audience.trim_end_matches('/'))
    {
        return Err(refused(
            if graph {
                invalid
            } else {
                "InvalidAuthenticationTokenAudience"
            },
            "The access token has been obtained for wrong audience or resource.",
        ));
    }
    if claims["exp"].as_i64().unwrap_or(0) <= context.moment.wall.unix_seconds() {
        return Err(refused(
            if graph {
                invalid
            } else {
                "ExpiredAuthenticationToken"
            },
            "The access token expiry UTC time is earlier than current UTC time.",
        ));
    }
    let (tenant, object_id) = (text("tid"), text("oid"));
    let known = cloud.tenants.get(&tenant);
    let kind = if let Some(user) = known.and_then(|tenant| tenant.users.get(&object_id)) {
        Kind::User {
            global_administrator: user.global_administrator,
        }
    } else if known.is_some_and(|tenant| tenant.principals.contains_key(&object_id)) {
        let roles = claims["roles"].as_array().into_iter().flatten();
        Kind::Application {
            app_id: text("appid"),
            roles: roles
                .filter_map(|role| role.as_str().map(str::to_owned))
                .collect(),
        }
    } else {
        return Err(refused(
            invalid,
            "The access token is invalid: its principal no longer exists.",
        ));
    };
    Ok(Caller {
        tenant,
        object_id,
        kind,
    })
}
