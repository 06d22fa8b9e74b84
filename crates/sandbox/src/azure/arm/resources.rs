//! Resources of any type: made, read and deleted by id.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::state::Cloud;
use super::{Ask, filter, groups, locks, not_found, policy, scope_of, subscriptions};
use serde_json::{Value, json};

/// A resource's id, taken apart.
struct Target {
    scope: String,
    subscription: String,
    group: String,
    namespace: String,
    /// `Microsoft.Storage/storageAccounts`, as written in the request.
    kind: String,
}

impl Target {
    /// Reads `/subscriptions/s/resourceGroups/g/providers/N/type/name[/type/name]`.
    fn read(ask: &Ask<'_>, path: &[&str]) -> Result<Self, Failure> {
        let written = &ask.request.segments;
        match path {
            [
                "subscriptions",
                subscription,
                "resourcegroups",
                group,
                "providers",
                _,
                rest @ ..,
            ] if rest.len() >= 2 && rest.len().is_multiple_of(2) => {
                let types: Vec<&str> = written[6..].iter().step_by(2).map(String::as_str).collect();
                Ok(Self {
                    scope: scope_of(path),
                    subscription: (*subscription).to_owned(),
                    group: (*group).to_owned(),
                    namespace: written[5].clone(),
                    kind: format!("{}/{}", written[5], types.join("/")),
                })
            }
            _ => Err(Failure::new(
                404,
                "InvalidResourceType",
                format!("No resource type is served at '{}'.", ask.request.id()),
            )),
        }
    }
}

pub(super) fn list(cloud: &Cloud, ask: &Ask<'_>, scope: &str) -> Outcome {
    let read = |id: &str, kind: &str| ask.authorize(cloud, &format!("{kind}/read"), id).is_ok();
    let below = format!("{scope}/");
    let all: Vec<&Value> = cloud
        .resources
        .iter()
        .filter(|(id, value)| {
            let kind = value["type"].as_str().unwrap_or_default();
            id.starts_with(&below)
                && !kind.starts_with("Microsoft.Authorization/")
                && filter(ask, "resourceType", Some(kind))
                && read(id, kind)
        })
        .map(|(_, value)| value)
        .collect();
    if all.is_empty() {
        ask.authorize(
            cloud,
            "Microsoft.Resources/subscriptions/resources/read",
            scope,
        )?;
    }
    Ok(Answer::ok(json!({ "value": all })))
}

pub(super) fn get(cloud: &Cloud, ask: &Ask<'_>, path: &[&str]) -> Outcome {
    let target = Target::read(ask, path)?;
    ask.authorize(cloud, &format!("{}/read", target.kind), &target.scope)?;
    groups::exists(cloud, &target.subscription, &target.group)?;
    let found = cloud
        .resources
        .get(&target.scope)
        .ok_or_else(|| not_found(&target.scope))?;
    Ok(Answer::ok(found.clone()))
}

pub(super) fn put(cloud: &mut Cloud, ask: &Ask<'_>, path: &[&str]) -> Outcome {
    let target = Target::read(ask, path)?;
    let mut body = ask.request.json()?;
    ask.authorize(cloud, &format!("{}/write", target.kind), &target.scope)?;
    subscriptions::registered(cloud, ask, &target.subscription, &target.namespace)?;
    groups::exists(cloud, &target.subscription, &target.group)?;
    let before = cloud.resources.get(&target.scope).cloned();
    if ask.request.method == axum::http::Method::PATCH {
        let mut merged = before.clone().ok_or_else(|| not_found(&target.scope))?;
        json_patch::merge(&mut merged, &body);
        body = merged;
    }
    let location = match body["location"].as_str() {
        Some(location) => groups::known_location(location)?,
        None => String::new(),
    };
    locks::check_write(cloud, &target.scope)?;
    policy::check(cloud, &target.scope, &target.kind, &location, &body)?;
    if !location.is_empty() {
        body["location"] = json!(location);
    }
    if !body["properties"].is_object() {
        body["properties"] = json!({});
    }
    body["properties"]["provisioningState"] = json!("Succeeded");
    body["id"] = json!(ask.request.id());
    body["name"] = json!(ask.request.segments.last());
    body["type"] = json!(target.kind);
    cloud.resources.insert(target.scope, body.clone());
    Ok(Answer::json(if before.is_some() { 200 } else { 201 }, body))
}

pub(super) fn delete(cloud: &mut Cloud, ask: &Ask<'_>, path: &[&str]) -> Outcome {
    let target = Target::read(ask, path)?;
    ask.authorize(cloud, &format!("{}/delete", target.kind), &target.scope)?;
    groups::exists(cloud, &target.subscription, &target.group)?;
    if !cloud.resources.contains_key(&target.scope) {
        return Ok(Answer::empty(204));
    }
    locks::check_delete(cloud, &target.scope, true)?;
    let below = format!("{}/", target.scope);
    cloud
        .resources
        .retain(|id, _| *id != target.scope && !id.starts_with(&below));
    cloud
        .assignments
        .retain(|_, one| one.scope != target.scope && !one.scope.starts_with(&below));
    Ok(Answer::empty(200))
}

/// An action of a resource, `…/listKeys`: allowed or not, nothing is done.
pub(super) fn act(cloud: &mut Cloud, ask: &Ask<'_>, path: &[&str]) -> Outcome {
    let (_, of) = path.split_last().ok_or_else(|| not_found("/"))?;
    let verb = ask.request.segments.last().cloned().unwrap_or_default();
    let target = Target::read(ask, of)?;
    // `Target` reads the types from the request as written: cut the verb off.
    let kind = target.kind.trim_end_matches(&format!("/{verb}")).to_owned();
    ask.authorize(cloud, &format!("{kind}/{verb}/action"), &target.scope)?;
    if !cloud.resources.contains_key(&target.scope) {
        return Err(not_found(&target.scope));
    }
    Ok(Answer::ok(json!({})))
}
