//! Writing resources into the world.

use super::env::Place;
use super::failure::Failure;
use super::operate::Request;
use super::state::{CreatedBy, Origin, Resource, key};
use super::{iam_backed, permissions, rules};
use crate::clock::SimTime;
use crate::iam::{Moment, NewRole};
use crate::types::{self, Model, TypeInfo};
use crate::world::World;
use serde_json::json;
use std::collections::BTreeSet;

/// Write-only properties that must not outlive the call, not even hidden.
pub(super) const SECRETS: [&str; 5] = [
    "MasterUserPassword",
    "SecretString",
    "GenerateSecretString",
    "AuthToken",
    "TdeCredentialPassword",
];

pub(super) fn bring_into_being(
    world: &mut World,
    request: &Request<'_>,
    info: &TypeInfo,
    identifier: &str,
    model: Model,
    token: &str,
) -> Result<(), Failure> {
    let origin = Origin {
        at: request.at,
        by: request.stack.map_or_else(
            || CreatedBy::Request(token.to_owned()),
            |stack| CreatedBy::Stack(stack.to_owned()),
        ),
    };
    link_service_role(world, request, &model);
    insert(
        world,
        request.place,
        request.type_name,
        info,
        identifier,
        model,
        origin,
        request.at,
    )
}

/// Puts a filled model into the world as a resource.
#[expect(clippy::too_many_arguments, reason = "every one is a different noun")]
pub(super) fn insert(
    world: &mut World,
    place: &Place,
    type_name: &str,
    info: &TypeInfo,
    identifier: &str,
    model: Model,
    origin: Origin,
    at: SimTime,
) -> Result<(), Failure> {
    let moment = moment(world, at);
    let Some(account) = world.accounts.get_mut(&place.account) else {
        return Err(Failure::general("The account is gone."));
    };
    let home = account
        .cloudcontrol
        .entry(place.home(type_name).region)
        .or_default();
    if iam_backed::keeps(type_name) {
        iam_backed::create(&mut account.iam, &moment, type_name, &model)?;
        home.origins.insert(key(type_name, identifier), origin);
        return Ok(());
    }
    if let Some((family, revision)) = super::env::text(&model, "TaskDefinitionArn")
        .and_then(|arn| arn.rsplit('/').next())
        .and_then(|name| name.rsplit_once(':'))
        && let Ok(revision) = revision.parse()
        && type_name == rules::TASK_DEFINITION
    {
        home.revisions.insert(family.to_owned(), revision);
    }
    let (properties, hidden) = split(info, model);
    home.insert(
        type_name,
        Resource {
            identifier: identifier.to_owned(),
            properties,
            hidden,
            ready: false,
            origin: Some(origin),
            contents: BTreeSet::new(),
        },
    );
    Ok(())
}

pub(super) fn moment(world: &mut World, at: SimTime) -> Moment {
    let lag = world.iam_lag;
    Moment {
        now: at,
        effective_at: at.plus(lag),
        ..world.moment()
    }
}

/// Splits a model into what reads show and what they never show. Secrets end
/// here: the sandbox's memory and snapshot do not hold them.
pub(super) fn split(info: &TypeInfo, model: Model) -> (Model, Model) {
    let mut properties = model;
    let mut hidden = Model::new();
    for path in &info.write_only {
        if let Some(value) = properties.get(path)
            && !SECRETS.contains(&path.as_str())
        {
            hidden.insert(path.clone(), value.clone());
        }
    }
    types::strip(&mut properties, &info.write_only);
    (properties, hidden)
}

/// A wanted model as it may be kept.
pub(crate) fn without_secrets(model: &Model) -> Model {
    let mut kept = model.clone();
    kept.retain(|name, _| !SECRETS.contains(&name.as_str()));
    kept
}

/// Creates the service-linked role that a service makes on first use, or that
/// somebody asked for by its own type.
fn link_service_role(world: &mut World, request: &Request<'_>, model: &Model) {
    let asked = (
        super::env::text(model, "AWSServiceName"),
        super::env::text(model, "RoleName"),
    );
    let (service, name) = match (types::service_linked_role(request.type_name), asked) {
        (Some(linked), _) => (linked.service.as_str(), linked.role.as_str()),
        (None, (Some(service), Some(name))) if request.type_name == rules::SERVICE_LINKED_ROLE => {
            (service, name)
        }
        _ => return,
    };
    if permissions::has_role(world, request.place, name) {
        return;
    }
    let moment = moment(world, request.at);
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}]});
    if let Some(account) = world.accounts.get_mut(&request.place.account) {
        let made = account.iam.create_role(
            &moment,
            NewRole {
                name: name.to_owned(),
                path: format!("/aws-service-role/{service}/"),
                trust: trust.to_string(),
                ..NewRole::default()
            },
        );
        if let Err(error) = made {
            tracing::warn!(%error, role = name, "no service-linked role");
        }
    }
}

pub(super) fn overwrite(
    world: &mut World,
    request: &Request<'_>,
    info: &TypeInfo,
    identifier: &str,
    before: &Model,
    after: Model,
) -> Result<(), Failure> {
    let moment = moment(world, request.at);
    let Some(account) = world.accounts.get_mut(&request.place.account) else {
        return Err(Failure::general("The account is gone."));
    };
    if iam_backed::keeps(request.type_name) {
        return iam_backed::update(
            &mut account.iam,
            &moment,
            request.type_name,
            identifier,
            before,
            &after,
        );
    }
    let (properties, hidden) = split(info, after);
    let home = request.place.home(request.type_name).region;
    if let Some(resource) = account
        .cloudcontrol
        .entry(home)
        .or_default()
        .resource_mut(request.type_name, identifier)
    {
        resource.properties = properties;
        resource.hidden = hidden;
    }
    Ok(())
}
