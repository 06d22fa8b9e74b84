//! Resource Manager: deny by default, everything by id.

mod condition;
mod groups;
mod locks;
mod management;
mod policy;
mod rbac;
mod resources;
mod roles;
mod subscriptions;

pub(super) use roles::definition_named;

use super::answer::{Answer, Failure, Outcome};
use super::entra::{self, ARM_AUDIENCE, Caller};
use super::request::Request;
use super::server::Context;
use super::state::Cloud;
use crate::shared::WorldGuard;
use axum::http::Method;
use serde_json::json;

/// What every handler of Resource Manager gets.
struct Ask<'a> {
    caller: &'a Caller,
    context: &'a Context,
    request: &'a Request,
}

impl Ask<'_> {
    fn authorize(&self, cloud: &Cloud, action: &str, scope: &str) -> Result<(), Failure> {
        rbac::authorize(cloud, self.context, self.caller, action, scope)
    }
}

/// Kinds of `Microsoft.Authorization` that exist below every scope.
const EXTENSIONS: [&str; 6] = [
    "roledefinitions",
    "roleassignments",
    "permissions",
    "locks",
    "policyassignments",
    "policydefinitions",
];

/// What a path says of its type, for the request log.
pub(super) fn kind_of(path: &[&str]) -> String {
    let at = path
        .iter()
        .rposition(|part| part.eq_ignore_ascii_case("providers"));
    match at {
        Some(at) if at + 1 < path.len() => {
            let types = path[at + 2..].iter().step_by(2);
            std::iter::once(&path[at + 1])
                .chain(types)
                .copied()
                .collect::<Vec<_>>()
                .join("/")
        }
        _ => path
            .iter()
            .step_by(2)
            .copied()
            .collect::<Vec<_>>()
            .join("/"),
    }
}

/// A scope as it is compared: lower case, no trailing slash, the root empty.
pub(super) fn scope_of_text(text: &str) -> String {
    text.trim_end_matches('/').to_lowercase()
}

fn scope_of(parts: &[&str]) -> String {
    if parts.is_empty() {
        String::new()
    } else {
        format!("/{}", parts.join("/"))
    }
}

/// Whether a value satisfies the `name eq 'value'` of the request's `$filter`,
/// when it has one of that name.
fn filter(ask: &Ask<'_>, name: &str, value: Option<&str>) -> bool {
    let wanted = ask.request.query("$filter").unwrap_or_default();
    wanted
        .split(" and ")
        .all(|clause| match clause.split_once(" eq ") {
            Some((left, right)) if left.trim().eq_ignore_ascii_case(name) => value
                .is_some_and(|value| value.eq_ignore_ascii_case(right.trim().trim_matches('\''))),
            _ => true,
        })
}

fn not_found(id: &str) -> Failure {
    Failure::new(
        404,
        "ResourceNotFound",
        format!("The Resource '{id}' was not found."),
    )
}

pub(super) fn handle(world: &mut WorldGuard<'_>, context: &Context, request: &Request) -> Outcome {
    let lower: Vec<String> = request
        .segments
        .iter()
        .map(|part| part.to_lowercase())
        .collect();
    let path: Vec<&str> = lower.iter().map(String::as_str).collect();
    if path == ["metadata", "endpoints"] {
        return Ok(metadata(context));
    }
    let audiences = [
        ARM_AUDIENCE,
        "https://management.core.windows.net",
        context.origin.as_str(),
    ];
    let caller = entra::verify(&world.azure, context, request, &audiences)?;
    let ask = Ask {
        caller: &caller,
        context,
        request,
    };
    if request.query("api-version").is_none() {
        return Err(Failure::new(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    }
    let reading = [Method::GET, Method::HEAD].contains(&request.method);
    if let ["subscriptions", id, ..] = path.as_slice() {
        let subscription = world.azure.subscriptions.get(*id).ok_or_else(|| {
            Failure::new(
                404,
                "SubscriptionNotFound",
                format!("The subscription '{id}' could not be found."),
            )
        })?;
        if !reading && !subscription.enabled {
            return Err(Failure::new(
                409,
                "ReadOnlyDisabledSubscription",
                format!(
                    "The subscription '{id}' is disabled and therefore marked as read only. You \
                     cannot perform any write actions on this subscription until it is re-enabled."
                ),
            ));
        }
    }
    if reading {
        read(&world.azure, &ask, &path)
    } else {
        change(&mut world.azure, &ask, &path)
    }
}

/// Splits `{scope}/providers/Microsoft.Authorization/{kind}[/{name}]`.
fn extension<'p>(path: &[&'p str]) -> Option<(String, &'p str, Option<&'p str>)> {
    let at = path
        .windows(2)
        .rposition(|two| two == ["providers", "microsoft.authorization"])?;
    let kind = *path.get(at + 2).filter(|kind| EXTENSIONS.contains(kind))?;
    (path.len() <= at + 4).then(|| (scope_of(&path[..at]), kind, path.get(at + 3).copied()))
}

fn read(cloud: &Cloud, ask: &Ask<'_>, path: &[&str]) -> Outcome {
    if let Some((scope, kind, name)) = extension(path) {
        return match kind {
            "roledefinitions" => roles::get_definition(cloud, ask, &scope, name),
            "roleassignments" => roles::get_assignment(cloud, ask, &scope, name),
            "permissions" => roles::permissions(cloud, ask, &scope),
            "locks" => locks::get(cloud, ask, &scope, name),
            _ => policy::get(cloud, ask, &scope, kind, name),
        };
    }
    match path {
        ["tenants"] => subscriptions::tenants(cloud, ask),
        ["subscriptions"] => subscriptions::list(cloud, ask),
        ["subscriptions", id] => subscriptions::get(cloud, ask, id),
        ["subscriptions", id, "locations"] => subscriptions::locations(cloud, ask, id),
        ["subscriptions", id, "providers"] => subscriptions::providers(cloud, ask, id),
        ["subscriptions", id, "providers", namespace] => {
            subscriptions::provider(cloud, ask, id, namespace)
        }
        ["subscriptions", id, "operationresults", operation] => {
            subscriptions::operation(cloud, ask, id, operation)
        }
        [
            "subscriptions",
            id,
            "providers",
            "microsoft.compute",
            "locations",
            _,
            "usages",
        ] => subscriptions::usages(cloud, ask, id),
        ["subscriptions", id, "resourcegroups"] => groups::list(cloud, ask, id),
        ["subscriptions", id, "resourcegroups", name] => groups::get(cloud, ask, id, name),
        ["subscriptions", _, "resources"]
        | ["subscriptions", _, "resourcegroups", _, "resources"] => {
            resources::list(cloud, ask, &scope_of(&path[..path.len() - 1]))
        }
        ["providers", "microsoft.management", "managementgroups"] => management::list(cloud, ask),
        [
            "providers",
            "microsoft.management",
            "managementgroups",
            name,
        ] => management::get(cloud, ask, name),
        _ => resources::get(cloud, ask, path),
    }
}

fn change(cloud: &mut Cloud, ask: &Ask<'_>, path: &[&str]) -> Outcome {
    let method = ask.request.method.as_str();
    if let Some((scope, kind, Some(name))) = extension(path) {
        return match (method, kind) {
            ("PUT", "roledefinitions") => roles::put_definition(cloud, ask, &scope, name),
            ("DELETE", "roledefinitions") => roles::delete_definition(cloud, ask, &scope, name),
            ("PUT", "roleassignments") => roles::put_assignment(cloud, ask, &scope, name),
            ("DELETE", "roleassignments") => roles::delete_assignment(cloud, ask, &scope, name),
            ("PUT", "locks") => locks::put(cloud, ask, &scope, name),
            ("DELETE", "locks") => locks::delete(cloud, ask, &scope, name),
            ("PUT", "policyassignments" | "policydefinitions") => {
                policy::put(cloud, ask, &scope, kind, name)
            }
            ("DELETE", "policyassignments" | "policydefinitions") => {
                policy::delete(cloud, ask, &scope, kind, name)
            }
            _ => Err(not_allowed()),
        };
    }
    match (method, path) {
        ("POST", ["subscriptions", id, "providers", namespace, "register"]) => {
            subscriptions::register(cloud, ask, id, namespace, true)
        }
        ("POST", ["subscriptions", id, "providers", namespace, "unregister"]) => {
            subscriptions::register(cloud, ask, id, namespace, false)
        }
        ("PUT" | "PATCH", ["subscriptions", id, "resourcegroups", _]) => {
            groups::put(cloud, ask, id)
        }
        ("DELETE", ["subscriptions", id, "resourcegroups", name]) => {
            groups::delete(cloud, ask, id, name)
        }
        ("PUT", ["providers", "microsoft.management", "managementgroups", _]) => {
            management::put(cloud, ask)
        }
        (
            "DELETE",
            [
                "providers",
                "microsoft.management",
                "managementgroups",
                name,
            ],
        ) => management::delete(cloud, ask, name),
        (
            "PUT",
            [
                "providers",
                "microsoft.management",
                "managementgroups",
                name,
                "subscriptions",
                id,
            ],
        ) => management::move_subscription(cloud, ask, name, id),
        ("PUT" | "PATCH", _) => resources::put(cloud, ask, path),
        ("DELETE", _) => resources::delete(cloud, ask, path),
        ("POST", _) => resources::act(cloud, ask, path),
        _ => Err(not_allowed()),
    }
}

fn not_allowed() -> Failure {
    Failure::new(
        405,
        "MethodNotAllowed",
        "The resource does not support this method.",
    )
}

/// What `az cloud register --endpoint-resource-manager` reads.
fn metadata(context: &Context) -> Answer {
    let origin = &context.origin;
    Answer::ok(json!({
        "portal": format!("{origin}/portal"),
        "galleryEndpoint": format!("{origin}/"),
        "graphEndpoint": format!("{origin}/"),
        "graphAudience": format!("{origin}/"),
        "graph": format!("{origin}/"),
        "name": "LandfallSandbox",
        "suffixes": {
            "storage": "storage.sandbox.example",
            "keyVaultDns": "vault.sandbox.example",
            "acrLoginServer": "azurecr.sandbox.example",
        },
        "authentication": {
            "loginEndpoint": format!("{origin}/"),
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": format!("{origin}/"),
        "microsoftGraphResourceId": format!("{origin}/"),
    }))
}
