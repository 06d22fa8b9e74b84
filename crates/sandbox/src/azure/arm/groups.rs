//! Resource groups.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::state::{Cloud, ResourceGroup};
use super::subscriptions::{LOCATIONS, known};
use super::{Ask, locks, policy};
use serde_json::{Value, json};
use std::time::Duration;

const DELETION: Duration = Duration::from_secs(2);

fn render(subscription: &str, group: &ResourceGroup) -> Value {
    json!({
        "id": format!("/subscriptions/{subscription}/resourceGroups/{}", group.name),
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": group.tags,
        "properties": { "provisioningState": "Succeeded" },
    })
}

fn scope(id: &str, name: &str) -> String {
    format!("/subscriptions/{id}/resourcegroups/{name}")
}

fn missing(name: &str) -> Failure {
    Failure::new(
        404,
        "ResourceGroupNotFound",
        format!("Resource group '{name}' could not be found."),
    )
}

pub(super) fn known_location(location: &str) -> Result<String, Failure> {
    let plain = location.to_lowercase().replace(' ', "");
    if LOCATIONS.iter().any(|(known, _)| *known == plain) {
        Ok(plain)
    } else {
        Err(Failure::new(
            400,
            "LocationNotAvailableForResourceType",
            format!("The provided location '{location}' is not available."),
        ))
    }
}

pub(super) fn exists(cloud: &Cloud, id: &str, name: &str) -> Result<(), Failure> {
    known(cloud, id)?
        .groups
        .contains_key(name)
        .then_some(())
        .ok_or_else(|| missing(name))
}

pub(super) fn list(cloud: &Cloud, ask: &Ask<'_>, id: &str) -> Outcome {
    let read = "Microsoft.Resources/subscriptions/resourceGroups/read";
    // A list shows what may be read, and is refused to nobody who may read some.
    let subscription = known(cloud, id)?;
    let whole = ask.authorize(cloud, read, &format!("/subscriptions/{id}"));
    let all: Vec<Value> = subscription
        .groups
        .iter()
        .filter(|(name, _)| whole.is_ok() || ask.authorize(cloud, read, &scope(id, name)).is_ok())
        .map(|(_, group)| render(id, group))
        .collect();
    if all.is_empty() {
        whole?;
    }
    Ok(Answer::ok(json!({ "value": all })))
}

pub(super) fn get(cloud: &Cloud, ask: &Ask<'_>, id: &str, name: &str) -> Outcome {
    let read = "Microsoft.Resources/subscriptions/resourceGroups/read";
    ask.authorize(cloud, read, &scope(id, name))?;
    let group = known(cloud, id)?
        .groups
        .get(name)
        .ok_or_else(|| missing(name))?;
    if ask.request.method == axum::http::Method::HEAD {
        return Ok(Answer::empty(204));
    }
    Ok(Answer::ok(render(id, group)))
}

pub(super) fn put(cloud: &mut Cloud, ask: &Ask<'_>, id: &str) -> Outcome {
    let body = ask.request.json()?;
    let name = ask.request.segments.get(3).cloned().unwrap_or_default();
    let lower = name.to_lowercase();
    let scope = scope(id, &lower);
    let write = "Microsoft.Resources/subscriptions/resourceGroups/write";
    ask.authorize(cloud, write, &scope)?;
    let fits = |c: char| c.is_alphanumeric() || "-_.()".contains(c);
    if name.len() > 90 || !name.chars().all(fits) || name.ends_with('.') {
        return Err(Failure::new(
            400,
            "InvalidResourceGroup",
            format!("The provided resource group name '{name}' is not valid."),
        ));
    }
    let before = known(cloud, id)?.groups.get(&lower).cloned();
    let location = match (body["location"].as_str(), &before) {
        (Some(wanted), _) => known_location(wanted)?,
        (None, Some(group)) => group.location.clone(),
        (None, None) => {
            let message = "The request content is invalid: the location property is required.";
            return Err(Failure::new(400, "LocationRequired", message));
        }
    };
    if let Some(group) = &before
        && group.location != location
    {
        return Err(Failure::new(
            409,
            "InvalidResourceGroupLocation",
            format!(
                "Invalid resource group location '{location}'. The Resource group already exists \
                 in location '{}'.",
                group.location
            ),
        ));
    }
    locks::check_write(cloud, &scope)?;
    policy::check(
        cloud,
        &scope,
        "Microsoft.Resources/subscriptions/resourceGroups",
        &location,
        &body,
    )?;
    let tags = body["tags"].as_object().cloned();
    let group = ResourceGroup {
        name: before.as_ref().map_or(name, |group| group.name.clone()),
        location,
        tags: tags
            .or_else(|| before.as_ref().map(|group| group.tags.clone()))
            .unwrap_or_default(),
    };
    let answer = render(id, &group);
    if let Some(subscription) = cloud.subscriptions.get_mut(id) {
        subscription.groups.insert(lower, group);
    }
    Ok(Answer::json(
        if before.is_some() { 200 } else { 201 },
        answer,
    ))
}

/// Everything in it goes at once; only the end is told later.
pub(super) fn delete(cloud: &mut Cloud, ask: &Ask<'_>, id: &str, name: &str) -> Outcome {
    let scope = scope(id, name);
    ask.authorize(
        cloud,
        "Microsoft.Resources/subscriptions/resourceGroups/delete",
        &scope,
    )?;
    exists(cloud, id, name)?;
    locks::check_delete(cloud, &scope, true)?;
    let below = format!("{scope}/");
    cloud.resources.retain(|key, _| !key.starts_with(&below));
    cloud
        .assignments
        .retain(|_, one| one.scope != scope && !one.scope.starts_with(&below));
    if let Some(subscription) = cloud.subscriptions.get_mut(id) {
        subscription.groups.remove(name);
    }
    let operation = cloud.uuid();
    let until = ask.context.moment.now.plus(DELETION);
    cloud.operations.insert(operation.clone(), until);
    let version = ask.request.query("api-version").unwrap_or_default();
    Ok(Answer::empty(202)
        .with(
            "location",
            format!(
                "{}/subscriptions/{id}/operationresults/{operation}?api-version={version}",
                ask.context.origin
            ),
        )
        .with("retry-after", "1".to_owned()))
}
