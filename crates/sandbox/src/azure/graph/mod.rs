//! Microsoft Graph v1.0: applications, service principals and what they hold.

mod access;
mod applications;
mod directory;
mod federated;
pub(super) mod permissions;
mod principals;
mod render;
mod secrets;

use super::answer::{Answer, Failure, Outcome};
use super::entra::{self, Caller, GRAPH_AUDIENCE};
use super::request::Request;
use super::server::Context;
use super::state::{Cloud, Tenant};
use crate::shared::WorldGuard;
use axum::http::Method;
use serde_json::{Value, json};

/// What every handler of Graph gets.
struct Ask<'a> {
    caller: &'a Caller,
    context: &'a Context,
    request: &'a Request,
}

pub(super) fn handle(world: &mut WorldGuard<'_>, context: &Context, request: &Request) -> Outcome {
    let audiences = [GRAPH_AUDIENCE, context.origin.as_str()];
    let caller = entra::verify(&world.azure, context, request, &audiences)?;
    let ask = Ask {
        caller: &caller,
        context,
        request,
    };
    let segments = keyed(&request.segments[1..]);
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    match request.method {
        Method::GET => get(&world.azure, &ask, &path),
        Method::POST | Method::PATCH | Method::DELETE => change(&mut world.azure, &ask, &path),
        _ => Err(unknown()),
    }
}

/// `applications(appId='x')` is `applications`, `appId=x`.
fn keyed(segments: &[String]) -> Vec<String> {
    segments
        .iter()
        .flat_map(|segment| match segment.split_once('(') {
            Some((collection, key)) => vec![
                collection.to_owned(),
                key.trim_end_matches(')').replace('\'', ""),
            ],
            None => vec![segment.clone()],
        })
        .collect()
}

fn get(cloud: &Cloud, ask: &Ask<'_>, path: &[&str]) -> Outcome {
    let tenant = tenant(cloud, ask)?;
    match path {
        ["organization"] => directory::organization(tenant, ask),
        ["domains"] => directory::domains(tenant, ask),
        ["users"] => directory::users(tenant, ask),
        ["me"] => directory::me(tenant, ask),
        ["applications"] => applications::list(tenant, ask),
        ["applications", key] => applications::get(tenant, ask, key),
        ["applications", key, "owners"] => applications::owners(tenant, ask, key),
        ["applications", key, "federatedIdentityCredentials"] => federated::list(tenant, ask, key),
        ["applications", key, "federatedIdentityCredentials", one] => {
            federated::get(tenant, ask, key, one)
        }
        ["directory", "deletedItems", "microsoft.graph.application"] => {
            applications::deleted(tenant, ask)
        }
        ["directory", "deletedItems", id] => applications::deleted_one(tenant, ask, id),
        ["servicePrincipals"] => principals::list(tenant, ask),
        ["servicePrincipals", key] => principals::get(tenant, ask, key),
        ["servicePrincipals", key, "appRoleAssignments"] => {
            principals::app_roles(tenant, ask, key, false)
        }
        ["servicePrincipals", key, "appRoleAssignedTo"] => {
            principals::app_roles(tenant, ask, key, true)
        }
        ["oauth2PermissionGrants"] => directory::delegated(tenant, ask),
        _ => Err(unknown()),
    }
}

fn change(cloud: &mut Cloud, ask: &Ask<'_>, path: &[&str]) -> Outcome {
    match (ask.request.method.as_str(), path) {
        ("POST", ["applications"]) => applications::create(cloud, ask),
        ("PATCH", ["applications", key]) => applications::update(cloud, ask, key),
        ("DELETE", ["applications", key]) => applications::delete(cloud, ask, key),
        ("POST", ["applications", key, "addPassword"]) => secrets::add(cloud, ask, key),
        ("POST", ["applications", key, "removePassword"]) => secrets::remove(cloud, ask, key),
        ("POST", ["applications", key, "owners", "$ref"]) => {
            applications::add_owner(cloud, ask, key)
        }
        ("DELETE", ["applications", key, "owners", owner, "$ref"]) => {
            applications::remove_owner(cloud, ask, key, owner)
        }
        ("POST", ["applications", key, "federatedIdentityCredentials"]) => {
            federated::create(cloud, ask, key)
        }
        ("PATCH", ["applications", key, "federatedIdentityCredentials", one]) => {
            federated::update(cloud, ask, key, one)
        }
        ("DELETE", ["applications", key, "federatedIdentityCredentials", one]) => {
            federated::delete(cloud, ask, key, one)
        }
        ("POST", ["directory", "deletedItems", id, "restore"]) => {
            applications::restore(cloud, ask, id)
        }
        ("DELETE", ["directory", "deletedItems", id]) => applications::purge(cloud, ask, id),
        ("POST", ["servicePrincipals"]) => principals::create(cloud, ask),
        ("PATCH", ["servicePrincipals", key]) => principals::update(cloud, ask, key),
        ("DELETE", ["servicePrincipals", key]) => principals::delete(cloud, ask, key),
        (
            "POST",
            [
                "servicePrincipals",
                key,
                "appRoleAssignments" | "appRoleAssignedTo",
            ],
        ) => principals::assign(cloud, ask, key),
        (
            "DELETE",
            [
                "servicePrincipals",
                _,
                "appRoleAssignments" | "appRoleAssignedTo",
                id,
            ],
        ) => principals::unassign(cloud, ask, id),
        ("POST", ["oauth2PermissionGrants"]) => directory::delegate(cloud, ask),
        ("DELETE", ["oauth2PermissionGrants", id]) => directory::undelegate(cloud, ask, id),
        _ => Err(unknown()),
    }
}

fn tenant<'c>(cloud: &'c Cloud, ask: &Ask<'_>) -> Result<&'c Tenant, Failure> {
    cloud
        .tenants
        .get(&ask.caller.tenant)
        .ok_or_else(|| Failure::new(401, "InvalidAuthenticationToken", "The tenant is unknown."))
}

fn tenant_mut<'c>(cloud: &'c mut Cloud, ask: &Ask<'_>) -> Result<&'c mut Tenant, Failure> {
    cloud
        .tenants
        .get_mut(&ask.caller.tenant)
        .ok_or_else(|| Failure::new(401, "InvalidAuthenticationToken", "The tenant is unknown."))
}

fn unknown() -> Failure {
    Failure::new(
        400,
        "BadRequest",
        "Resource not found for the segment, or the method is not allowed.",
    )
}

fn not_found(id: &str) -> Failure {
    Failure::new(
        404,
        "Request_ResourceNotFound",
        format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are \
             not present."
        ),
    )
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(400, "Request_BadRequest", message)
}

/// A collection, filtered by the simple `$filter`s that clients write:
/// `property eq 'value'` and `startswith(property,'value')`, joined by `and`.
fn collection(ask: &Ask<'_>, kind: &str, items: Vec<Value>) -> Outcome {
    let mut items = items;
    if let Some(filter) = ask.request.query("$filter") {
        for clause in filter.split(" and ") {
            let clause = clause.trim();
            let test = clause
                .split_once(" eq ")
                .map(|(name, value)| (name.trim(), value.trim(), true))
                .or_else(|| {
                    let inside = clause.strip_prefix("startswith(")?.strip_suffix(')')?;
                    let (name, value) = inside.split_once(',')?;
                    Some((name.trim(), value.trim(), false))
                });
            let Some((name, value, whole)) = test else {
                return Err(bad(format!("Invalid filter clause: {clause}")));
            };
            let value = value.trim_matches('\'').replace("''", "'");
            items.retain(|item| {
                item[name].as_str().is_some_and(|is| {
                    if whole {
                        is.eq_ignore_ascii_case(&value)
                    } else {
                        is.to_lowercase().starts_with(&value.to_lowercase())
                    }
                })
            });
        }
    }
    Ok(Answer::ok(json!({
        "@odata.context": format!("{}/v1.0/$metadata#{kind}", ask.context.origin),
        "value": items,
    })))
}
