//! Getting access tokens: from a service account's key, from another issuer's
//! token, and by impersonation.

mod credentials;
mod oauth;
mod sts;

pub(super) use oauth::self_signed;
pub(super) use sts::{issuer_to_ask, mapped_attribute, pool_project};

use super::error::Refusal;
use super::route::Methods;
use super::state::{ServiceAccount, State, Token};
use crate::clock::WallTime;
use crate::jwt::{ALGORITHM, Unverified};
use std::time::Duration;

pub(super) const OAUTH2: Methods = &[("POST", "token", "oauth2.token", oauth::token)];

pub(super) const STS: Methods = &[("POST", "v1/token", "sts.token", sts::token)];

pub(super) const CREDENTIALS: Methods = &[(
    "POST",
    "v1/projects/{project}/serviceAccounts/{account}:generateAccessToken",
    "iamcredentials.projects.serviceAccounts.generateAccessToken",
    credentials::generate_access_token,
)];

/// The longest that a token lives.
const HOUR: Duration = Duration::from_secs(3600);

/// How far a client's clock may be ahead.
const LEEWAY: i64 = 60;

/// Who a token is for.
struct Holder {
    member: String,
    /// Unique id, of a service account.
    account: Option<String>,
}

impl Holder {
    fn account(account: &ServiceAccount) -> Self {
        Self {
            member: format!("serviceAccount:{}", account.email),
            account: Some(account.unique_id.clone()),
        }
    }
}

/// Issues an access token. Tokens live on the machine's clock, so that
/// `--speed` does not expire them.
fn issue(state: &mut State, holder: Holder, now: WallTime, lifetime: Duration) -> String {
    state
        .tokens
        .retain(|_, token| token.expires.is_none_or(|expires| expires > now));
    let token = state.new_token();
    state.tokens.insert(
        token.clone(),
        Token {
            member: holder.member,
            account: holder.account,
            expires: Some(now.plus(lifetime)),
        },
    );
    token
}

/// Takes a token apart, if it is of the only algorithm that is ever accepted.
fn read(token: &str) -> Result<Unverified, String> {
    let unverified = Unverified::read(token).map_err(|error| error.to_string())?;
    if unverified.algorithm() == ALGORITHM {
        Ok(unverified)
    } else {
        Err(format!("the token's algorithm is not {ALGORITHM}"))
    }
}

/// The instant between which a token's `iat` and `exp` must lie around now.
fn timely(issued: Option<i64>, expires: Option<i64>, now: WallTime) -> Result<(), &'static str> {
    let (Some(issued), Some(expires)) = (issued, expires) else {
        return Err("Invalid JWT: iat and exp are required");
    };
    let now = now.unix_seconds();
    if expires <= now {
        return Err(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a \
                    reasonable timeframe. Check your iat and exp values in the JWT claim.",
        );
    }
    if issued > now + LEEWAY || expires.saturating_sub(issued) > 3600 {
        return Err(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a \
                    reasonable timeframe. Check your iat and exp values in the JWT claim.",
        );
    }
    Ok(())
}

fn invalid_grant(message: impl Into<String>) -> Refusal {
    Refusal::oauth(400, "invalid_grant", message)
}
