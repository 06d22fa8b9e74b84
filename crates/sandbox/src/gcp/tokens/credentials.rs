//! Tokens of a service account for whoever may impersonate it.

use super::{HOUR, Holder, issue};
use crate::gcp::call::{Answer, Call};
use crate::gcp::error::Refusal;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn generate_access_token(call: &mut Call<'_, '_>) -> Answer {
    // Google wants the wildcard, and takes nothing else.
    if call.param("project") != "-" {
        return Err(Refusal::invalid(
            "Request contains an invalid argument: the project must be the wildcard -.",
        ));
    }
    let permission = "iam.serviceAccounts.getAccessToken";
    let id = call.param("account");
    let denied = || call.denied(permission, &format!("projects/-/serviceAccounts/{id}"));
    // One that does not exist and one that may not be used look alike.
    let (project, account) = call.state().account(&id).ok_or_else(denied)?;
    let node = format!("projects/{}", project.number);
    if account.disabled || !call.may_on_account(permission, account, &node) {
        return Err(denied());
    }
    if call.body["delegates"]
        .as_array()
        .is_some_and(|chain| !chain.is_empty())
    {
        return Err(Refusal::invalid(
            "Delegation chains are not simulated here.",
        ));
    }
    let scopes = call.body["scope"].as_array();
    if !scopes.is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_string)) {
        return Err(Refusal::invalid(
            "Request contains an invalid argument: scope is required.",
        ));
    }
    let lifetime = match &call.body["lifetime"] {
        Value::Null => HOUR,
        given => given
            .as_str()
            .and_then(|text| text.strip_suffix('s'))
            .and_then(|seconds| seconds.parse::<u64>().ok())
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs)
            .ok_or_else(|| Refusal::invalid("Invalid value at 'lifetime'"))?,
    };
    if lifetime > HOUR {
        return Err(Refusal::invalid(format!(
            "The access token lifetime cannot exceed {} seconds.",
            HOUR.as_secs()
        )));
    }
    let holder = Holder::account(account);
    let wall = call.at.wall;
    let token = issue(call.state_mut(), holder, wall, lifetime);
    Ok(json!({ "accessToken": token, "expireTime": wall.plus(lifetime).iso8601() }))
}
