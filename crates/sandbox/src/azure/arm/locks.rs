//! Management locks: whoever may write here cannot delete, and who may set a
//! lock need not be able to remove it.

use super::super::answer::{Answer, Failure, Outcome};
use super::super::state::Cloud;
use super::{Ask, not_found, rbac};
use serde_json::{Value, json};

const MIDDLE: &str = "/providers/microsoft.authorization/locks/";

/// The locks and the scopes that they are on.
fn all(cloud: &Cloud) -> impl Iterator<Item = (&str, &Value)> {
    cloud.resources.iter().filter_map(|(id, value)| {
        let at = id.rfind(MIDDLE)?;
        Some((&id[..at], value))
    })
}

fn locked(scope: &str, by: &str, verb: &str) -> Failure {
    Failure::new(
        409,
        "ScopeLocked",
        format!(
            "The scope '{scope}' cannot perform {verb} operation because following scope(s) are \
             locked: '{by}'. Please remove the lock and try again."
        ),
    )
}

/// Refuses a deletion under a lock; `with_content` also looks below.
pub(super) fn check_delete(cloud: &Cloud, scope: &str, with_content: bool) -> Result<(), Failure> {
    let chain = rbac::chain(cloud, scope);
    let below = format!("{scope}/");
    let by = all(cloud).find(|(on, _)| {
        chain.iter().any(|above| above == on) || (with_content && on.starts_with(&below))
    });
    by.map_or(Ok(()), |(by, _)| Err(locked(scope, by, "delete")))
}

/// Refuses a change under a lock that only lets read.
pub(super) fn check_write(cloud: &Cloud, scope: &str) -> Result<(), Failure> {
    let chain = rbac::chain(cloud, scope);
    let by = all(cloud).find(|(on, lock)| {
        lock["properties"]["level"] == "ReadOnly" && chain.iter().any(|above| above == on)
    });
    by.map_or(Ok(()), |(by, _)| Err(locked(scope, by, "write")))
}

fn key(scope: &str, name: &str) -> String {
    format!("{scope}{MIDDLE}{name}")
}

pub(super) fn get(cloud: &Cloud, ask: &Ask<'_>, scope: &str, name: Option<&str>) -> Outcome {
    ask.authorize(cloud, "Microsoft.Authorization/locks/read", scope)?;
    if let Some(name) = name {
        let lock = cloud
            .resources
            .get(&key(scope, name))
            .ok_or_else(|| not_found(name))?;
        return Ok(Answer::ok(lock.clone()));
    }
    let chain = rbac::chain(cloud, scope);
    let below = format!("{scope}/");
    let found: Vec<&Value> = all(cloud)
        .filter(|(on, _)| chain.iter().any(|above| above == on) || on.starts_with(&below))
        .map(|(_, lock)| lock)
        .collect();
    Ok(Answer::ok(json!({ "value": found })))
}

pub(super) fn put(cloud: &mut Cloud, ask: &Ask<'_>, scope: &str, name: &str) -> Outcome {
    ask.authorize(cloud, "Microsoft.Authorization/locks/write", scope)?;
    let body = ask.request.json()?;
    let level = body["properties"]["level"].as_str().unwrap_or_default();
    let level = ["CanNotDelete", "ReadOnly"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(level))
        .ok_or_else(|| {
            Failure::new(
                400,
                "InvalidLockLevel",
                format!("The lock level '{level}' is invalid."),
            )
        })?;
    let lock = json!({
        "id": ask.request.id(),
        "name": ask.request.segments.last(),
        "type": "Microsoft.Authorization/locks",
        "properties": { "level": level, "notes": body["properties"]["notes"] },
    });
    let before = cloud.resources.insert(key(scope, name), lock.clone());
    Ok(Answer::json(if before.is_some() { 200 } else { 201 }, lock))
}

pub(super) fn delete(cloud: &mut Cloud, ask: &Ask<'_>, scope: &str, name: &str) -> Outcome {
    ask.authorize(cloud, "Microsoft.Authorization/locks/delete", scope)?;
    let removed = cloud.resources.remove(&key(scope, name));
    Ok(Answer::empty(if removed.is_some() { 200 } else { 204 }))
}
