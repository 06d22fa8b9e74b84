//! What happens to resources behind Landfall's back.
//!
//! `POST /_sandbox/resources/{create,change,delete,contents}`. Nothing is
//! authorized and nothing is checked: these stand for a person with all rights
//! at another tool. What refers to a deleted resource is left dangling.

use super::env::{Env, Place};
use super::make::{insert, moment};
use super::operate::check_model;
use super::state::{CreatedBy, Origin};
use super::{iam_backed, rules, settle};
use crate::admin::AdminError;
use crate::shared::Shared;
use crate::types::{self, Model, TypeInfo};
use crate::wire::AwsError;
use crate::world::World;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Routes under `/_sandbox/resources`.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/_sandbox/resources/create", post(create))
        .route("/_sandbox/resources/change", post(change))
        .route("/_sandbox/resources/delete", post(delete))
        .route("/_sandbox/resources/contents", post(contents))
        .with_state(shared)
}

/// Which resource is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    account: String,
    region: String,
    #[serde(rename = "type")]
    type_name: String,
    identifier: String,
}

impl Named {
    fn place(&self) -> Place {
        Place::new(&self.account, &self.region)
    }
}

fn info(type_name: &str) -> Result<&'static TypeInfo, AdminError> {
    types::lookup(type_name)
        .ok_or_else(|| AdminError::Request(format!("there is no type {type_name}")))
}

fn missing(type_name: &str, identifier: &str) -> AdminError {
    AdminError::Cloud(AwsError::new(
        404,
        "ResourceNotFoundException",
        format!("there is no {type_name} {identifier}"),
    ))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Created {
    account: String,
    region: String,
    #[serde(rename = "type")]
    type_name: String,
    properties: Model,
}

/// Makes a resource at once: `{"account", "region", "type", "properties"}`.
async fn create(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Created>, JsonRejection>,
) -> Result<Json<Value>, AdminError> {
    let Json(new) = body?;
    let info = info(&new.type_name)?;
    check_model(info, &new.properties)?;
    let mut guard = shared.world();
    let world: &mut World = &mut guard;
    world.account(&new.account)?;
    let place = Place::new(&new.account, &new.region);
    let at = world.now();
    let env = Env::new(world, &place, at);
    let mut model = new.properties;
    rules::of(&new.type_name).fill(&env, &new.type_name, info, &mut model);
    world.rng = env.into_rng();
    let identifier = info
        .identifier(&model)
        .ok_or_else(|| AdminError::Request("the model has no identifier".to_owned()))?;
    let origin = Origin {
        at,
        by: CreatedBy::OutOfBand,
    };
    insert(
        world,
        &place,
        &new.type_name,
        info,
        &identifier,
        model,
        origin,
        at,
    )
    .map_err(|failure| AdminError::Request(failure.to_string()))?;
    settle::make_ready(world, &place, &new.type_name, &identifier, at);
    Ok(Json(json!({ "identifier": identifier })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    account: String,
    region: String,
    #[serde(rename = "type")]
    type_name: String,
    identifier: String,
    /// Merged into the properties (RFC 7396): null removes.
    properties: Value,
}

/// Changes properties at once, create-only ones too.
async fn change(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Changed>, JsonRejection>,
) -> Result<Json<Value>, AdminError> {
    let Json(wanted) = body?;
    info(&wanted.type_name)?;
    let mut guard = shared.world();
    let world: &mut World = &mut guard;
    let place = Place::new(&wanted.account, &wanted.region);
    let at = world.now();
    let env = Env::new(world, &place, at);
    let before = env
        .find(&wanted.type_name, &wanted.identifier)
        .map(|found| found.properties.clone())
        .ok_or_else(|| missing(&wanted.type_name, &wanted.identifier))?;
    let mut after = Value::Object(before.clone());
    json_patch::merge(&mut after, &wanted.properties);
    let Value::Object(after) = after else {
        return Err(AdminError::Request(
            "properties must be an object".to_owned(),
        ));
    };
    let moment = moment(world, at);
    let account = world.account_mut(&wanted.account)?;
    if iam_backed::keeps(&wanted.type_name) {
        iam_backed::update(
            &mut account.iam,
            &moment,
            &wanted.type_name,
            &wanted.identifier,
            &before,
            &after,
        )
        .map_err(|failure| AdminError::Request(failure.to_string()))?;
    } else if let Some(resource) = account
        .cloudcontrol
        .get_mut(&place.home(&wanted.type_name).region)
        .and_then(|region| region.resource_mut(&wanted.type_name, &wanted.identifier))
    {
        resource.properties = after.clone();
    }
    Ok(Json(json!({ "properties": after })))
}

/// Deletes a resource at once, whatever protects it; but nobody can delete a
/// policy that IAM sees in use.
async fn delete(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Named>, JsonRejection>,
) -> Result<Json<Value>, AdminError> {
    let Json(named) = body?;
    info(&named.type_name)?;
    let mut guard = shared.world();
    let world: &mut World = &mut guard;
    let at = world.now();
    let place = named.place();
    if Env::new(world, &place, at)
        .find(&named.type_name, &named.identifier)
        .is_none()
    {
        return Err(missing(&named.type_name, &named.identifier));
    }
    settle::remove(world, &place, &named.type_name, &named.identifier, at)
        .map_err(|failure| AdminError::Request(failure.to_string()))?;
    Ok(Json(json!({ "deleted": named.identifier })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    account: String,
    region: String,
    #[serde(rename = "type")]
    type_name: String,
    identifier: String,
    #[serde(default)]
    put: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

/// Puts objects into a bucket or images into a repository, or takes them out.
async fn contents(
    State(shared): State<Arc<Shared>>,
    body: Result<Json<Contents>, JsonRejection>,
) -> Result<Json<Value>, AdminError> {
    let Json(wanted) = body?;
    if ![rules::BUCKET, rules::REPOSITORY].contains(&wanted.type_name.as_str()) {
        return Err(AdminError::Request(format!(
            "a {} holds nothing",
            wanted.type_name
        )));
    }
    let mut guard = shared.world();
    let resource = guard
        .account_mut(&wanted.account)?
        .cloudcontrol
        .get_mut(&wanted.region)
        .and_then(|region| region.resource_mut(&wanted.type_name, &wanted.identifier))
        .ok_or_else(|| missing(&wanted.type_name, &wanted.identifier))?;
    resource.contents.extend(wanted.put);
    for key in &wanted.remove {
        resource.contents.remove(key);
    }
    Ok(Json(json!({ "contents": resource.contents })))
}
