//! What a person or an organization does to identities without telling us.

use super::AdminError;
use crate::iam::policy::{Form, Policy};
use crate::iam::{Moment, State as Iam};
use crate::issuers;
use crate::shared::Shared;
use crate::wire::AwsError;
use crate::world::REGIONS;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Deletes a role, or changes what is given. Policies are documents as JSON or
/// as text; null takes one away.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleChange {
    account: String,
    role: String,
    #[serde(default)]
    delete: bool,
    trust: Option<Value>,
    #[serde(default)]
    inline: BTreeMap<String, Option<Value>>,
    #[serde(default)]
    attach: Vec<String>,
    #[serde(default)]
    detach: Vec<String>,
    #[serde(default, deserialize_with = "given")]
    boundary: Option<Option<String>>,
    max_session_duration: Option<u32>,
    tags: Option<BTreeMap<String, String>>,
    /// Takes effect at once instead of after the lag.
    #[serde(default)]
    immediate: bool,
}

/// Tells null from absent.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(from).map(Some)
}

pub(super) async fn role(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<RoleChange>, JsonRejection>,
) -> Result<Json<Value>, AdminError> {
    let Json(change) = body?;
    let mut world = shared.world();
    let mut at = world.moment();
    if change.immediate {
        at.effective_at = at.now;
    }
    let iam = &mut world.account_mut(&change.account)?.iam;
    if change.delete {
        iam.remove_role(&change.role)?;
    } else {
        // All of it or nothing: an edit that fails half-way would leave a
        // state that no test asked for.
        let mut edited = iam.clone();
        apply(&mut edited, &at, change)?;
        *iam = edited;
    }
    Ok(Json(json!({})))
}

fn apply(iam: &mut Iam, at: &Moment, change: RoleChange) -> Result<(), AwsError> {
    let role = &change.role;
    iam.update_role(role, None, change.max_session_duration)?;
    if let Some(trust) = &change.trust {
        iam.set_trust(at, role, &document(trust))?;
    }
    for (name, policy) in &change.inline {
        match policy {
            Some(policy) => iam.put_inline(at, role, name, &document(policy))?,
            None => iam.delete_inline(at, role, name)?,
        }
    }
    for arn in &change.detach {
        iam.detach(at, role, arn)?;
    }
    for arn in &change.attach {
        iam.attach(at, role, arn)?;
    }
    if let Some(boundary) = &change.boundary {
        iam.set_boundary(at, role, boundary.as_deref())?;
    }
    if let Some(tags) = change.tags {
        iam.tag_role(role, tags)?;
    }
    Ok(())
}

fn document(policy: &Value) -> String {
    match policy {
        Value::String(text) => text.clone(),
        policy => policy.to_string(),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScpChange {
    account: String,
    /// Null removes it.
    policy: Option<Value>,
}

pub(super) async fn scp(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<ScpChange>, JsonRejection>,
) -> Result<Json<Value>, AdminError> {
    let Json(change) = body?;
    let policy = change.policy.as_ref().map(document);
    if let Some(policy) = &policy {
        Policy::parse(policy, Form::Identity)
            .map_err(|error| AdminError::Request(error.message))?;
    }
    shared.world().account_mut(&change.account)?.scp = policy;
    Ok(Json(json!({})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerChange {
    url: String,
    /// Null takes the issuer off the network.
    served_at: Option<String>,
}

pub(super) async fn issuer(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<IssuerChange>, JsonRejection>,
) -> Result<Json<Value>, AdminError> {
    let Json(change) = body?;
    let Some(served_at) = &change.served_at else {
        let url = change.url.trim_end_matches('/');
        shared.world().issuers.remove(url);
        return Ok(Json(json!({})));
    };
    let (url, served_at) = issuers::checked(&change.url, served_at).map_err(AdminError::Request)?;
    shared.world().issuers.insert(url, served_at);
    Ok(Json(json!({})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegionChange {
    account: String,
    region: String,
    enabled: bool,
}

pub(super) async fn region(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<RegionChange>, JsonRejection>,
) -> Result<Json<Value>, AdminError> {
    let Json(change) = body?;
    if !REGIONS.contains(&(change.region.as_str(), true)) {
        return Err(AdminError::Request(format!(
            "{} is not an opt-in region",
            change.region
        )));
    }
    let mut world = shared.world();
    let opted_in = &mut world.account_mut(&change.account)?.opted_in;
    if change.enabled {
        opted_in.insert(change.region);
    } else {
        opted_in.remove(&change.region);
    }
    Ok(Json(json!({})))
}
