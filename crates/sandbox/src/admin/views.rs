//! What exists and what was asked.

use super::AdminError;
use crate::cloudcontrol;
use crate::iam::{ManagedPolicy, Role};
use crate::shared::Shared;
use crate::world::{Account, World};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn clock(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let world = shared.world();
    Json(json!({
        "simulated": world.now().iso8601_millis(),
        "wall": world.clock.wall().iso8601_millis(),
        "machine": world.clock.machine().iso8601_millis(),
        "moved_seconds": world.clock.moved().as_secs_f64(),
        "speed": world.clock.speed(),
    }))
}

pub(super) async fn inventory(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let world = shared.world();
    let accounts: Vec<Value> = world
        .accounts
        .values()
        .map(|account| of_account(&world, account))
        .collect();
    Json(json!({ "accounts": accounts }))
}

fn of_account(world: &World, account: &Account) -> Value {
    json!({
        "id": account.id,
        "role": account.role,
        "scp": account.scp,
        "opted_in_regions": account.opted_in,
        "roles": account.iam.roles().map(|role| of_role(world, role)).collect::<Vec<_>>(),
        "policies": account.iam.policies().map(of_policy).collect::<Vec<_>>(),
        "resources": cloudcontrol::inventory(world, &account.id),
    })
}

fn of_role(world: &World, role: &Role) -> Value {
    let now = world.now();
    let grants = role.grants.latest();
    json!({
        "name": role.name,
        "arn": role.arn,
        "id": role.id,
        "trust": document(role.trust.latest()),
        "inline": grants.inline.iter().map(|(name, text)| (name.clone(), document(text)))
            .collect::<serde_json::Map<_, _>>(),
        "attached": grants.attached,
        "boundary": grants.boundary,
        "max_session_duration": role.max_session_duration,
        "tags": role.tags,
        "propagating": role.trust.is_propagating(now) || role.grants.is_propagating(now),
    })
}

fn of_policy(policy: &ManagedPolicy) -> Value {
    json!({
        "name": policy.name,
        "arn": policy.arn,
        "default_version": format!("v{}", policy.default_version.latest()),
        "document": document(policy.document()),
        "tags": policy.tags,
    })
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Filters of the request log; absent ones let everything through.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
    service: Option<String>,
    operation: Option<String>,
    account: Option<String>,
    #[serde(rename = "type")]
    type_name: Option<String>,
}

pub(super) async fn requests(
    State(shared): State<Arc<Shared>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Value>, AdminError> {
    let Query(filter) = filter?;
    let same = |wanted: &Option<String>, is: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
    };
    let limit = filter.limit.unwrap_or(usize::MAX);
    let requests = shared.log.list(filter.after, limit, |entry| {
        same(&filter.service, Some(&entry.service))
            && same(&filter.operation, Some(&entry.operation))
            && same(&filter.account, entry.account.as_deref())
            && same(&filter.type_name, entry.subject.type_name.as_deref())
    });
    Ok(Json(json!({ "requests": requests })))
}
