//! Entra: documents, tokens, and the two pages that people see.

mod client;
mod discovery;
mod federation;
mod pages;
mod token;
mod verify;

pub(super) use federation::{Keys, foreign_keys};
pub(super) use verify::{Caller, Kind, verify};

use super::answer::{Failure, Outcome};
use super::request::Request;
use super::server::Context;
use super::state::{Cloud, Tenant};
use crate::shared::WorldGuard;
use axum::http::Method;

pub(super) const ARM_AUDIENCE: &str = "https://management.azure.com";
pub(super) const GRAPH_AUDIENCE: &str = "https://graph.microsoft.com";

pub(super) fn handle(
    world: &mut WorldGuard<'_>,
    context: &Context,
    request: &Request,
    keys: &Keys,
) -> Outcome {
    let path: Vec<String> = request
        .segments
        .iter()
        .map(|part| part.to_lowercase())
        .collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let get = request.method == Method::GET;
    let post = request.method == Method::POST;
    match path.as_slice() {
        [_, "discovery", "instance"] if get => Ok(discovery::instances(context)),
        [tenant, "v2.0", ".well-known", "openid-configuration"]
        | [tenant, ".well-known", "openid-configuration"]
            if get =>
        {
            discovery::configuration(&world.azure, context, tenant)
        }
        [_, "discovery", "v2.0", "keys"] | [_, "discovery", "keys"] if get => {
            if world.azure.known_signer().is_none() {
                let _ = world.azure.signer();
            }
            discovery::keys(&world.azure)
        }
        [tenant, "oauth2", "v2.0", "token"] if post => {
            token::handle(&mut world.azure, context, tenant, &request.form(), keys)
        }
        [tenant, "v2.0", "adminconsent"] | [tenant, "adminconsent"] if get => {
            pages::consent_page(&world.azure, tenant, request)
        }
        [tenant, "v2.0", "adminconsent"] | [tenant, "adminconsent"] if post => {
            pages::consent(&mut world.azure, context, tenant, &request.form())
        }
        [tenant, "oauth2", "v2.0", "authorize"] if get => {
            pages::sign_in_page(&world.azure, tenant, request)
        }
        [tenant, "oauth2", "v2.0", "authorize"] if post => {
            pages::sign_in(&mut world.azure, context, tenant, &request.form())
        }
        ["portal"] | [] if get => Ok(pages::portal(&world.azure)),
        _ => Err(Failure::entra(
            404,
            "invalid_request",
            900_561,
            "The endpoint does not exist or does not accept this method.",
        )),
    }
}

fn tenant_of<'c>(cloud: &'c Cloud, name: &str) -> Result<&'c Tenant, Failure> {
    if let Some(tenant) = cloud.tenant(name) {
        return Ok(tenant);
    }
    if !super::is_uuid(name) && !name.contains('.') {
        return Err(Failure::entra(
            400,
            "invalid_request",
            900_023,
            format!(
                "Specified tenant identifier '{name}' is neither a valid DNS name, nor a valid \
                 external domain."
            ),
        ));
    }
    Err(Failure::entra(
        400,
        "invalid_request",
        90_002,
        format!(
            "Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are \
             signing into the correct cloud. Check with your subscription administrator, this may \
             happen if there are no active subscriptions for the tenant."
        ),
    ))
}

/// Names of authorities that stand for whichever tenant signs in.
fn is_shared(tenant: &str) -> bool {
    ["common", "organizations"].contains(&tenant)
}
