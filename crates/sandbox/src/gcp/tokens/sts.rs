//! Another issuer's token for one of Google's.

use super::{Holder, LEEWAY, issue, read};
use crate::gcp::call::{Answer, Call};
use crate::gcp::cel;
use crate::gcp::error::Refusal;
use crate::gcp::state::{Life, Pool, Project, Provider, State};
use crate::jwt::KeySet;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const TOKEN_TYPES: [&str; 2] = [
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
];

/// `google.subject` in bytes.
const SUBJECT: usize = 127;

fn refuse<T>(error: &'static str, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::oauth(400, error, message))
}

/// `projects/N/locations/global/workloadIdentityPools/P/providers/R` in parts:
/// project number, pool, provider.
fn named(audience: &str) -> Option<(&str, &str, &str)> {
    let rest = audience.strip_prefix("//iam.googleapis.com/projects/")?;
    let parts: Vec<&str> = rest.split('/').collect();
    match parts[..] {
        [
            number,
            "locations",
            "global",
            "workloadIdentityPools",
            pool,
            "providers",
            provider,
        ] => Some((number, pool, provider)),
        _ => None,
    }
}

/// The provider that a request is for. Only the project's number finds it, not
/// its id.
fn provider<'s>(state: &'s State, body: &Value) -> Option<(&'s Project, &'s Pool, &'s Provider)> {
    let (number, pool, provider) = named(body["audience"].as_str()?)?;
    let (_, project) = state.find_project(number)?;
    let pool = project
        .pools
        .get(pool)
        .filter(|_| project.number == number)?;
    Some((project, pool, pool.providers.get(provider)?))
}

/// The issuer whose keys a request needs, unless they were uploaded.
pub(in crate::gcp) fn issuer_to_ask(state: &State, body: &Value) -> Option<String> {
    let (_, _, provider) = provider(state, body)?;
    provider
        .jwks_json
        .is_none()
        .then(|| provider.issuer_uri.clone())
}

/// The number of the project whose pool a request is for.
pub(in crate::gcp) fn pool_project(state: &State, body: &Value) -> Option<String> {
    provider(state, body).map(|(project, _, _)| project.number.clone())
}

pub(super) fn token(call: &mut Call<'_, '_>) -> Answer {
    let field = |snake: &str, camel: &str| {
        call.body[snake]
            .as_str()
            .or_else(|| call.body[camel].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    if field("grant_type", "grantType") != GRANT {
        return refuse("unsupported_grant_type", "Invalid grant type.");
    }
    if field("requested_token_type", "requestedTokenType") != ACCESS_TOKEN {
        return refuse("invalid_request", "Invalid requested_token_type.");
    }
    if !TOKEN_TYPES.contains(&field("subject_token_type", "subjectTokenType").as_str()) {
        return refuse("invalid_request", "Invalid subject_token_type.");
    }
    if field("scope", "scope").is_empty() {
        return refuse("invalid_scope", "The scope is missing.");
    }
    let audience = call.text("/audience").to_owned();
    let Some((_, pool, provider)) = provider(call.state(), &call.body)
        .filter(|(_, pool, provider)| pool.life == Life::Active && provider.life == Life::Active)
    else {
        return refuse(
            "invalid_target",
            "The target service indicated by the \"audience\" parameters is invalid. This might \
             either be because the pool or provider is disabled or deleted or because it doesn't \
             exist.",
        );
    };
    if pool.disabled || provider.disabled {
        return refuse("invalid_target", "The pool or provider is disabled.");
    }
    let token = field("subject_token", "subjectToken");
    let claims = verified(call, provider, &audience, &token)?;
    let attributes = mapped(provider, &claims)?;
    if !provider.attribute_condition.is_empty() {
        let condition = cel::parse(&provider.attribute_condition);
        if !condition.is_ok_and(|condition| condition.holds(&of(&claims, &attributes))) {
            return refuse(
                "unauthorized_client",
                "The given credential is rejected by the attribute condition.",
            );
        }
    }
    let subject = &attributes["google.subject"];
    let pool = audience.split("/providers/").next().unwrap_or_default();
    let holder = Holder {
        member: format!("principal:{pool}/subject/{subject}"),
        account: None,
    };
    let wall = call.at.wall;
    let left = claims["exp"].as_i64().unwrap_or_default() - wall.unix_seconds();
    // A federated token does not outlive what it was exchanged for by much.
    let lifetime = Duration::from_secs(u64::try_from(left.clamp(60, 3600)).unwrap_or(60));
    let token = issue(call.state_mut(), holder, wall, lifetime);
    Ok(json!({
        "access_token": token,
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
    }))
}

/// The claims of a token that the provider's issuer has signed for it, now.
fn verified(
    call: &Call<'_, '_>,
    provider: &Provider,
    audience: &str,
    token: &str,
) -> Result<Value, Refusal> {
    let unverified = match read(token) {
        Ok(unverified) => unverified,
        Err(error) => {
            return refuse(
                "invalid_request",
                format!("Unable to parse the ID Token: {error}."),
            );
        }
    };
    if unverified.text("iss") != provider.issuer_uri {
        return refuse(
            "invalid_grant",
            format!(
                "The issuer in ID Token {} does not match the expected ones: {}.",
                unverified.text("iss"),
                provider.issuer_uri
            ),
        );
    }
    let set = match (&provider.jwks_json, &call.fetched) {
        (Some(uploaded), _) => serde_json::from_str(uploaded)
            .map_err(|error| error.to_string())
            .and_then(|document| KeySet::read(&document)),
        (None, Some(fetched)) => fetched.clone(),
        (None, None) => Err("nobody asked".to_owned()),
    };
    let set = match set {
        Ok(set) => set,
        Err(error) => {
            return refuse(
                "invalid_grant",
                format!("Error connecting to the given credential's issuer: {error}."),
            );
        }
    };
    let signed = match unverified.key_id() {
        Some(id) => set.named(id).any(|key| unverified.signed_by(key)),
        None => set.keys().iter().any(|key| unverified.signed_by(key)),
    };
    if !signed {
        return refuse(
            "invalid_grant",
            "Invalid ID Token signature: the token is not signed by a key of the issuer.",
        );
    }
    let audiences = unverified.audiences();
    let expected = |is: &str| {
        if provider.allowed_audiences.is_empty() {
            // The provider's full name, with or without its scheme.
            is == audience || is.strip_prefix("https:") == Some(audience)
        } else {
            provider
                .allowed_audiences
                .iter()
                .any(|allowed| allowed == is)
        }
    };
    if !audiences.iter().any(|is| expected(is)) {
        return refuse(
            "invalid_grant",
            format!(
                "The audience in ID Token {audiences:?} does not match the expected audience{}.",
                if provider.allowed_audiences.is_empty() {
                    format!(" {audience}")
                } else {
                    "s".to_owned()
                }
            ),
        );
    }
    let now = call.at.wall.unix_seconds();
    let (Some(issued), Some(expires)) = (unverified.seconds("iat"), unverified.seconds("exp"))
    else {
        return refuse("invalid_grant", "The ID Token must have iat and exp.");
    };
    if expires <= now {
        return refuse(
            "invalid_grant",
            format!("ID Token issued at {issued} is stale to sign-in."),
        );
    }
    if issued > now + LEEWAY
        || unverified
            .seconds("nbf")
            .is_some_and(|nbf| nbf > now + LEEWAY)
    {
        return refuse("invalid_grant", "The ID Token is not valid yet.");
    }
    if expires.saturating_sub(issued) > 24 * 3600 {
        return refuse("invalid_grant", "The ID Token lives longer than 24 hours.");
    }
    Ok(unverified.claims)
}

/// What the provider's mapping makes of the claims.
fn mapped(provider: &Provider, claims: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let nothing = BTreeMap::new();
    let mut attributes = BTreeMap::new();
    for (name, expression) in &provider.attribute_mapping {
        let value = cel::parse(expression)
            .ok()
            .and_then(|expression| expression.value(&of(claims, &nothing)));
        match value {
            Some(Value::String(value)) => {
                attributes.insert(name.clone(), value);
            }
            _ => {
                return refuse(
                    "invalid_grant",
                    format!(
                        "Mapped attribute '{name}' must be of type STRING; could not evaluate \
                         '{expression}'."
                    ),
                );
            }
        }
    }
    let subject = attributes.get("google.subject").map_or(0, String::len);
    if !(1..=SUBJECT).contains(&subject) {
        return refuse(
            "invalid_grant",
            format!(
                "The size of mapped attribute google.subject exceeds the {SUBJECT} bytes limit, \
                 or it is empty."
            ),
        );
    }
    Ok(attributes)
}

fn of<'v>(
    claims: &'v Value,
    attributes: &'v BTreeMap<String, String>,
) -> impl Fn(&[String]) -> Option<Value> + 'v {
    move |path| match path.split_first() {
        Some((root, rest)) if root == "assertion" => rest
            .iter()
            .try_fold(claims, |value, name| value.get(name))
            .cloned(),
        _ => attributes.get(&path.join(".")).map(|value| json!(value)),
    }
}

/// Whether an attribute may be mapped to: `google.subject`, `google.groups`,
/// `attribute.<name>`.
pub(in crate::gcp) fn mapped_attribute(name: &str) -> bool {
    matches!(name, "google.subject" | "google.groups")
        || name.strip_prefix("attribute.").is_some_and(|name| {
            (1..=100).contains(&name.len())
                && name
                    .bytes()
                    .all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        })
}
