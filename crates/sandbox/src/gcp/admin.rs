//! `/_sandbox/gcp`: what people and organizations do without telling anyone.
//!
//! | request | body |
//! | --- | --- |
//! | `POST billing` | `{"project", "account": text or null}` |
//! | `POST org-policy` | `{"resource", "constraint", "spec": as in Organization Policy v2, or null}` |
//! | `POST quotas` | `{"project", "quota", "region", "limit"}` |
//! | `POST services` | `{"project", "service", "enabled"}`, at once |
//! | `POST policy` | `{"resource", "bindings"}` replaces an allow policy, at once |
//! | `POST service-account` | `{"email", "delete": true}` or `{"email", "disabled"}` or `{"email", "delete_key"}` |
//! | `POST pool` | `{"project", "pool", "provider": optional, "delete": true}` or `"disabled"` |
//! | `POST project` | `{"project", "parent": resource or null}` moves it |
//! | `GET inventory` | organizations, folders, projects with policies, accounts, pools |
//! | `GET routes` | the methods that are served, as discovery documents name them |

use super::policy::{Binding, Policy};
use super::state::{Kind, Life, OrgPolicy, State};
use super::{resources, route, serve};
use crate::admin::AdminError;
use crate::shared::Shared;
use axum::extract::State as Extract;
use axum::extract::rejection::JsonRejection;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/_sandbox/gcp/{what}", post(change))
        .route("/_sandbox/gcp/inventory", get(inventory))
        .route("/_sandbox/gcp/routes", get(routes))
        .with_state(shared)
}

type Body = Result<Json<Value>, JsonRejection>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Billing {
    project: String,
    account: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOrgPolicy {
    resource: String,
    constraint: String,
    spec: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quota {
    project: String,
    quota: String,
    #[serde(default = "global")]
    region: String,
    limit: i64,
}

fn global() -> String {
    "global".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    project: String,
    service: String,
    enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPolicy {
    resource: String,
    bindings: Vec<Binding>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    email: String,
    #[serde(default)]
    delete: bool,
    disabled: Option<bool>,
    delete_key: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolChange {
    project: String,
    pool: String,
    provider: Option<String>,
    #[serde(default)]
    delete: bool,
    disabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    project: String,
    parent: Option<String>,
}

fn read<T: serde::de::DeserializeOwned>(body: Value) -> Result<T, AdminError> {
    serde_json::from_value(body).map_err(|error| AdminError::Request(error.to_string()))
}

fn none(what: &str, id: &str) -> AdminError {
    AdminError::Request(format!("there is no {what} {id}"))
}

async fn change(
    Extract(shared): Extract<Arc<Shared>>,
    axum::extract::Path(what): axum::extract::Path<String>,
    body: Body,
) -> Result<Json<Value>, AdminError> {
    let Json(body) = body?;
    let mut world = shared.world();
    let mut at = serve::moment(&world);
    at.effective_at = at.now;
    let state = &mut world.gcp;
    match what.as_str() {
        "billing" => {
            let Billing { project, account } = read(body)?;
            let found = state.project_mut(&project);
            found.ok_or_else(|| none("project", &project))?.billing = account;
        }
        "org-policy" => {
            let new: NewOrgPolicy = read(body)?;
            let name = resolve(state, &new.resource)?;
            let constraint = new.constraint.trim_start_matches("constraints/").to_owned();
            let node = state
                .nodes
                .get_mut(&name)
                .ok_or_else(|| none("resource", &name))?;
            match new.spec {
                Some(spec) => node.org_policies.insert(constraint, OrgPolicy { spec }),
                None => node.org_policies.remove(&constraint),
            };
        }
        "quotas" => {
            let new: Quota = read(body)?;
            if !resources::quotas::exists(&new.quota) {
                return Err(none("quota", &new.quota));
            }
            let project = state.project_mut(&new.project);
            let project = project.ok_or_else(|| none("project", &new.project))?;
            project
                .quotas
                .insert(format!("{}/{}", new.quota, new.region), new.limit);
        }
        "services" => {
            let new: Service = read(body)?;
            let project = state.project_mut(&new.project);
            let project = project.ok_or_else(|| none("project", &new.project))?;
            if new.enabled {
                project.services.insert(new.service, at.now);
            } else {
                project.services.remove(&new.service);
            }
        }
        "policy" => {
            let new: NewPolicy = read(body)?;
            let name = resolve(state, &new.resource)?;
            let node = state
                .nodes
                .get_mut(&name)
                .ok_or_else(|| none("resource", &name))?;
            let generation = node.policy.latest().generation + 1;
            let policy = Policy {
                generation,
                bindings: new.bindings,
            };
            node.policy.set(policy, &at);
        }
        "service-account" => account(state, read(body)?, &at)?,
        "pool" => pool(state, read(body)?, &at)?,
        "project" => {
            let Move { project, parent } = read(body)?;
            let name = resolve(state, &format!("projects/{project}"))?;
            if let Some(parent) = &parent
                && !state.nodes.contains_key(parent)
            {
                return Err(none("resource", parent));
            }
            if let Some(node) = state.nodes.get_mut(&name) {
                node.parent = parent;
            }
        }
        other => return Err(none("endpoint", other)),
    }
    Ok(Json(json!({})))
}

/// A resource's name, projects by id too.
fn resolve(state: &State, name: &str) -> Result<String, AdminError> {
    match name.strip_prefix("projects/") {
        Some(id) => state.find_project(id).map(|(node, _)| node.name.clone()),
        None => state.nodes.get(name).map(|node| node.name.clone()),
    }
    .ok_or_else(|| none("resource", name))
}

fn account(state: &mut State, new: Account, at: &crate::iam::Moment) -> Result<(), AdminError> {
    let unknown = || none("service account", &new.email);
    let (_, account) = state.account(&new.email).ok_or_else(unknown)?;
    let id = account.unique_id.clone();
    if new.delete {
        super::iam::remove_account(state, &id, at);
        return Ok(());
    }
    let account = state.account_mut(&id).ok_or_else(unknown)?;
    account.disabled = new.disabled.unwrap_or(account.disabled);
    if let Some(key) = &new.delete_key
        && account.keys.remove(key).is_none()
    {
        return Err(none("key", key));
    }
    Ok(())
}

fn pool(state: &mut State, new: PoolChange, at: &crate::iam::Moment) -> Result<(), AdminError> {
    let project = state
        .project_mut(&new.project)
        .ok_or_else(|| none("project", &new.project))?;
    let pool = project
        .pools
        .get_mut(&new.pool)
        .ok_or_else(|| none("pool", &new.pool))?;
    let (life, disabled) = match &new.provider {
        None => (&mut pool.life, &mut pool.disabled),
        Some(id) => {
            let provider = pool
                .providers
                .get_mut(id)
                .ok_or_else(|| none("provider", id))?;
            (&mut provider.life, &mut provider.disabled)
        }
    };
    if new.delete {
        *life = Life::Deleted { at: at.now };
    }
    *disabled = new.disabled.unwrap_or(*disabled);
    Ok(())
}

async fn inventory(Extract(shared): Extract<Arc<Shared>>) -> Json<Value> {
    let world = shared.world();
    let now = world.now();
    let resources: Vec<Value> = world
        .gcp
        .nodes
        .values()
        .map(|node| {
            let mut shown = json!({
                "name": node.name,
                "parent": node.parent,
                "display_name": node.display_name,
                "policy": node.policy.latest().render(3),
                "propagating": node.policy.is_propagating(now),
                "org_policies": node.org_policies.iter()
                    .map(|(name, policy)| (name.clone(), policy.spec.clone()))
                    .collect::<serde_json::Map<_, _>>(),
                "roles": node.roles.iter()
                    .map(|(id, role)| json!({
                        "id": id,
                        "deleted": role.deleted,
                        "permissions": role.permissions.latest(),
                    }))
                    .collect::<Vec<_>>(),
            });
            match &node.kind {
                Kind::Organization {
                    domain,
                    customer_id,
                } => {
                    shown["domain"] = json!(domain);
                    shown["customer_id"] = json!(customer_id);
                }
                Kind::Folder => {}
                Kind::Project(project) => {
                    shown["project_id"] = json!(project.id);
                    shown["billing"] = json!(project.billing);
                    shown["services"] = json!(project.services.keys().collect::<Vec<_>>());
                    shown["service_accounts"] = project
                        .accounts
                        .values()
                        .map(|account| {
                            json!({
                                "email": account.email,
                                "unique_id": account.unique_id,
                                "active": account.life == Life::Active,
                                "disabled": account.disabled,
                                "keys": account.keys.keys().collect::<Vec<_>>(),
                                "policy": account.policy.latest().render(3),
                            })
                        })
                        .collect();
                    shown["pools"] = project
                        .pools
                        .iter()
                        .map(|(id, pool)| {
                            json!({
                                "id": id,
                                "active": pool.life == Life::Active,
                                "providers": pool.providers.iter().map(|(id, provider)| json!({
                                    "id": id,
                                    "active": provider.life == Life::Active,
                                    "issuer": provider.issuer_uri,
                                    "condition": provider.attribute_condition,
                                })).collect::<Vec<_>>(),
                            })
                        })
                        .collect();
                }
            }
            shown
        })
        .collect();
    Json(json!({ "resources": resources }))
}

async fn routes() -> Json<Value> {
    let all: Vec<Value> = route::all()
        .iter()
        .map(|route| {
            json!({
                "service": route.service,
                "method": route.method,
                "path": route.path,
                "id": route.id,
            })
        })
        .collect();
    Json(json!({ "routes": all }))
}
