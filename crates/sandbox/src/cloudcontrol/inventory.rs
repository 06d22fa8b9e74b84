//! What exists, for tests: everything, never a secret.

use super::env::{Env, GLOBAL, Place};
use super::iam_backed;
use super::read::view;
use super::state::{OperationKind, Resource};
use crate::types::{self, TypeInfo};
use crate::world::World;
use serde_json::{Value, json};

/// Every resource of an account. Service-linked roles are AWS's own and left
/// out; secrets and keys that wait for their deletion are gone.
pub(crate) fn inventory(world: &World, account: &str) -> Vec<Value> {
    let Some(state) = world.accounts.get(account) else {
        return Vec::new();
    };
    let mut regions: Vec<&str> = state.cloudcontrol.keys().map(String::as_str).collect();
    if !regions.contains(&GLOBAL) {
        regions.push(GLOBAL);
    }
    let mut found = Vec::new();
    for region in regions {
        let place = Place::new(account, region);
        let env = Env::new(world, &place, world.now());
        for type_name in types::names() {
            let Some(info) = types::lookup(type_name) else {
                continue;
            };
            if place.home(type_name).region != region {
                continue;
            }
            if region == GLOBAL
                && !type_name.starts_with("AWS::IAM::")
                && !iam_backed::keeps(type_name)
                && env.home(type_name).is_none()
            {
                continue;
            }
            found.extend(
                env.all(type_name)
                    .iter()
                    .filter(|resource| !is_service_linked(resource))
                    .map(|resource| entry(&env, type_name, info, resource)),
            );
        }
    }
    found
}

fn is_service_linked(resource: &Resource) -> bool {
    super::env::text(&resource.properties, "Path")
        .is_some_and(|path| path.starts_with("/aws-service-role/"))
}

fn entry(env: &Env<'_>, type_name: &str, info: &TypeInfo, resource: &Resource) -> Value {
    let change = env
        .home(type_name)
        .and_then(|region| region.in_flight(type_name, &resource.identifier));
    let state = match change.map(|change| change.kind) {
        Some(OperationKind::Create) => "creating",
        Some(OperationKind::Update) => "updating",
        Some(OperationKind::Delete) => "deleting",
        None => "available",
    };
    json!({
        "account": env.place.account,
        "region": env.place.region,
        "type": type_name,
        "identifier": resource.identifier,
        "state": state,
        "properties": view(env, type_name, resource),
        "tags": types::read_tags(info, &resource.properties),
        "contents": resource.contents.len(),
        "created_at": resource.origin.as_ref().map(|origin| origin.at.iso8601()),
        "created_by": resource.origin.as_ref().map(|origin| &origin.by),
    })
}
