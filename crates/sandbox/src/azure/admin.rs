//! `/_sandbox/azure`: what a test does to Azure behind the clients' backs.
//!
//! | request | body |
//! | --- | --- |
//! | `POST settings` | `{"role_assignment_lag_seconds", "federated_credential_lag_seconds", "consent_lag_seconds", "secret_lag_seconds", "provider_registration_seconds"}`, simulated, each optional |
//! | `POST redirect-uris` | `{"client_id", "redirect_uris": […]}` of an application |
//! | `POST federated-credentials` | `{"client_id", "issuer", "subject", "audience"}`: an application trusts it at once |
//! | `POST subscriptions` | `{"id", "enabled", "quota": {"cores": 10}}`, each but `id` optional; with `"tenant"`, a new one is made there |
//! | `POST role-assignments` | `{"scope", "principal_id", "role"}` assigns a built-in role at once; `"delete": true` removes it |
//! | `GET inventory` | tenants with their applications and principals, subscriptions, role assignments; no secret |

use super::arm::{definition_named, scope_of_text};
use super::is_uuid;
use super::state::{Federated, RoleAssignment};
use crate::admin::AdminError;
use crate::shared::Shared;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

type Body<T> = Result<Json<T>, JsonRejection>;
type Answer = Result<Json<Value>, AdminError>;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/_sandbox/azure/settings", post(settings))
        .route("/_sandbox/azure/redirect-uris", post(redirect_uris))
        .route("/_sandbox/azure/federated-credentials", post(federate))
        .route("/_sandbox/azure/subscriptions", post(subscriptions))
        .route("/_sandbox/azure/role-assignments", post(role_assignments))
        .route("/_sandbox/azure/inventory", get(inventory))
        .with_state(shared)
}

fn refused(message: impl Into<String>) -> AdminError {
    AdminError::Request(message.into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    role_assignment_lag_seconds: Option<f64>,
    federated_credential_lag_seconds: Option<f64>,
    consent_lag_seconds: Option<f64>,
    secret_lag_seconds: Option<f64>,
    provider_registration_seconds: Option<f64>,
}

async fn settings(State(shared): State<Arc<Shared>>, body: Body<Settings>) -> Answer {
    let Json(settings) = body?;
    let mut world = shared.world();
    let lags = &mut world.azure.lags;
    for (lag, wanted) in [
        (
            &mut lags.role_assignment,
            settings.role_assignment_lag_seconds,
        ),
        (
            &mut lags.federated_credential,
            settings.federated_credential_lag_seconds,
        ),
        (&mut lags.consent, settings.consent_lag_seconds),
        (&mut lags.secret, settings.secret_lag_seconds),
        (
            &mut lags.provider_registration,
            settings.provider_registration_seconds,
        ),
    ] {
        if let Some(seconds) = wanted {
            *lag =
                Duration::try_from_secs_f64(seconds).map_err(|error| refused(error.to_string()))?;
        }
    }
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedirectUris {
    client_id: String,
    redirect_uris: Vec<String>,
}

async fn redirect_uris(State(shared): State<Arc<Shared>>, body: Body<RedirectUris>) -> Answer {
    let Json(wanted) = body?;
    let mut world = shared.world();
    let mut all = world
        .azure
        .tenants
        .values_mut()
        .flat_map(|tenant| tenant.applications.values_mut());
    let application = all
        .find(|application| application.app_id == wanted.client_id)
        .ok_or_else(|| refused("there is no such application"))?;
    application.redirect_uris = wanted.redirect_uris;
    Ok(Json(json!({})))
}

/// What the operator's administrator does by hand: of the operator's tenant, no
/// credential that could do it is given away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Federate {
    client_id: String,
    issuer: String,
    subject: String,
    audience: String,
}

async fn federate(State(shared): State<Arc<Shared>>, body: Body<Federate>) -> Answer {
    let Json(wanted) = body?;
    let mut world = shared.world();
    let now = world.now();
    let cloud = &mut world.azure;
    let id = cloud.uuid();
    let mut all = cloud
        .tenants
        .values_mut()
        .flat_map(|tenant| tenant.applications.values_mut());
    let application = all
        .find(|application| application.app_id == wanted.client_id)
        .ok_or_else(|| refused("there is no such application"))?;
    let same = |one: &Federated| one.issuer == wanted.issuer && one.subject == wanted.subject;
    application.federated.retain(|one| !same(one));
    application.federated.push(Federated {
        name: format!("operator-{}", application.federated.len() + 1),
        description: None,
        issuer: wanted.issuer,
        subject: wanted.subject,
        audiences: vec![wanted.audience],
        effective_at: now,
        id: id.clone(),
    });
    Ok(Json(json!({ "id": id })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubscriptionChange {
    id: String,
    tenant: Option<String>,
    enabled: Option<bool>,
    #[serde(default)]
    quota: BTreeMap<String, u64>,
}

async fn subscriptions(
    State(shared): State<Arc<Shared>>,
    body: Body<SubscriptionChange>,
) -> Answer {
    let Json(change) = body?;
    let mut world = shared.world();
    let now = world.now();
    if let Some(tenant) = &change.tenant {
        if !is_uuid(&change.id) || world.azure.subscriptions.contains_key(&change.id) {
            return Err(refused("the id of a new subscription is a new UUID"));
        }
        if !world.azure.tenants.contains_key(tenant) {
            return Err(refused("there is no such tenant"));
        }
        let name = "Another subscription";
        world.azure.add_subscription(tenant, &change.id, name, now);
    }
    let subscription = world
        .azure
        .subscriptions
        .get_mut(&change.id)
        .ok_or_else(|| refused("there is no such subscription"))?;
    subscription.enabled = change.enabled.unwrap_or(subscription.enabled);
    subscription.quota.extend(change.quota);
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assign {
    scope: String,
    principal_id: String,
    role: String,
    #[serde(default)]
    delete: bool,
}

async fn role_assignments(State(shared): State<Arc<Shared>>, body: Body<Assign>) -> Answer {
    let Json(assign) = body?;
    let definition = definition_named(&assign.role)
        .ok_or_else(|| refused("there is no built-in role of that name"))?
        .name
        .clone();
    let mut world = shared.world();
    let now = world.now();
    let cloud = &mut world.azure;
    let tenant = cloud
        .tenants
        .values()
        .find(|tenant| tenant.principal_type(&assign.principal_id).is_some())
        .ok_or_else(|| refused("there is no such principal"))?;
    let kind = tenant
        .principal_type(&assign.principal_id)
        .unwrap_or("ServicePrincipal")
        .to_owned();
    let tenant = tenant.id.clone();
    let scope = scope_of_text(&assign.scope);
    if assign.delete {
        cloud.assignments.retain(|_, one| {
            one.scope != scope
                || one.principal_id != assign.principal_id
                || one.definition != definition
        });
        return Ok(Json(json!({})));
    }
    let name = cloud.uuid();
    let id = format!(
        "{}/providers/Microsoft.Authorization/roleAssignments/{name}",
        assign.scope.trim_end_matches('/')
    );
    cloud.assignments.insert(
        id.to_lowercase(),
        RoleAssignment {
            id: id.clone(),
            name,
            tenant,
            scope,
            definition,
            principal_id: assign.principal_id,
            principal_type: kind,
            description: None,
            condition: None,
            condition_version: None,
            created: now,
            created_by: String::new(),
            effective_at: now,
        },
    );
    Ok(Json(json!({ "id": id })))
}

async fn inventory(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let world = shared.world();
    let cloud = &world.azure;
    let tenants: Vec<Value> = cloud
        .tenants
        .values()
        .map(|tenant| {
            json!({
                "id": tenant.id,
                "role": tenant.role,
                "domains": tenant.domains,
                "users": tenant.users.values().collect::<Vec<_>>(),
                "applications": tenant.applications.values().map(|application| json!({
                    "id": application.id,
                    "app_id": application.app_id,
                    "display_name": application.display_name,
                    "secrets": application.secrets.iter().map(|secret| json!({
                        "key_id": secret.key_id,
                        "end": secret.end.iso8601(),
                    })).collect::<Vec<_>>(),
                    "federated": application.federated,
                })).collect::<Vec<_>>(),
                "principals": tenant.principals.values().collect::<Vec<_>>(),
                "app_roles": tenant.app_roles.values().collect::<Vec<_>>(),
            })
        })
        .collect();
    Json(json!({
        "tenants": tenants,
        "subscriptions": cloud.subscriptions.values().collect::<Vec<_>>(),
        "role_assignments": cloud.assignments.values().collect::<Vec<_>>(),
        "resources": cloud.resources,
    }))
}
