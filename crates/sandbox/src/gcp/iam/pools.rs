//! Workload identity pools. A deleted one keeps its id for 30 days and can be
//! brought back.

use crate::gcp::call::{Answer, Call, page};
use crate::gcp::error::Refusal;
use crate::gcp::state::{Life, Pool, Project};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Simulated time that a change takes, as its operation shows.
pub(super) const TAKES: Duration = Duration::from_secs(2);

pub(super) fn permission(verb: &str) -> String {
    format!("iam.googleapis.com/workloadIdentityPools.{verb}")
}

pub(super) fn path(project: &Project, id: &str) -> String {
    format!(
        "projects/{}/locations/global/workloadIdentityPools/{id}",
        project.number
    )
}

/// The fields that pools and providers have in common.
pub(super) fn life(shown: &mut Value, life: Life, disabled: bool) {
    match life {
        Life::Active => shown["state"] = json!("ACTIVE"),
        Life::Deleted { at } => {
            shown["state"] = json!("DELETED");
            shown["expireTime"] = json!(at.plus(super::KEPT).iso8601());
        }
    }
    if disabled {
        shown["disabled"] = json!(true);
    }
}

fn render(project: &Project, id: &str, pool: &Pool) -> Value {
    let mut shown = json!({ "name": path(project, id) });
    for (field, value) in [
        ("displayName", &pool.display_name),
        ("description", &pool.description),
    ] {
        if !value.is_empty() {
            shown[field] = json!(value);
        }
    }
    life(&mut shown, pool.life, pool.disabled);
    shown
}

/// 4 to 32 of `[a-z0-9-]`; Google keeps `gcp-` for itself.
pub(super) fn id_is_well_formed(id: &str) -> bool {
    (4..=32).contains(&id.len())
        && id
            .bytes()
            .all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !id.starts_with("gcp-")
}

/// The project and the pool that the path names, deleted ones included.
pub(super) fn find<'c>(
    call: &'c Call<'_, '_>,
    permission: &str,
) -> Result<(&'c Project, &'c Pool), Refusal> {
    let project = call.path_project(permission)?;
    let id = call.param("pool");
    let now = call.at.now;
    project
        .pools
        .get(&id)
        .filter(|pool| !pool.life.is_over(now))
        .map(|pool| (project, pool))
        .ok_or_else(|| Refusal::not_found("Requested entity was not found."))
}

pub(super) fn edit<T>(
    call: &mut Call<'_, '_>,
    number: &str,
    change: impl FnOnce(&mut Pool) -> T,
) -> Result<T, Refusal> {
    let id = call.param("pool");
    let pool = call.project_mut(number)?.pools.get_mut(&id);
    pool.map(change).ok_or_else(Refusal::internal)
}

fn changed(call: &mut Call<'_, '_>, number: &str, id: &str) -> Answer {
    let (_, project) = call
        .state()
        .find_project(number)
        .ok_or_else(Refusal::internal)?;
    let pool = project.pools.get(id).ok_or_else(Refusal::internal)?;
    let (mut response, prefix) = (render(project, id, pool), path(project, id));
    response["@type"] = json!("type.googleapis.com/google.iam.v1.WorkloadIdentityPool");
    let metadata = json!({ "@type": "type.googleapis.com/google.iam.v1.WorkloadIdentityPoolOperationMetadata" });
    Ok(call.operation(&format!("{prefix}/operations/"), TAKES, metadata, response))
}

pub(super) fn create(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project(&permission("create"))?;
    let number = project.number.clone();
    let id = call
        .query("workloadIdentityPoolId")
        .unwrap_or_default()
        .to_owned();
    if !id_is_well_formed(&id) {
        return Err(Refusal::invalid(format!(
            "Invalid workload identity pool ID: '{id}'."
        )));
    }
    let now = call.at.now;
    if project
        .pools
        .get(&id)
        .is_some_and(|pool| !pool.life.is_over(now))
    {
        return Err(Refusal::exists("Requested entity already exists"));
    }
    let pool = Pool {
        display_name: call.text("/displayName").to_owned(),
        description: call.text("/description").to_owned(),
        disabled: call.body["disabled"] == true,
        life: Life::Active,
        providers: BTreeMap::new(),
    };
    if pool.display_name.len() > 32 || pool.description.len() > 256 {
        return Err(Refusal::invalid(
            "The display name or the description is too long.",
        ));
    }
    call.project_mut(&number)?.pools.insert(id.clone(), pool);
    changed(call, &number, &id)
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project(&permission("list"))?;
    let deleted = call.query("showDeleted") == Some("true");
    let now = call.at.now;
    let all = project
        .pools
        .iter()
        .filter(|(_, pool)| pool.life == Life::Active || deleted && !pool.life.is_over(now))
        .map(|(id, pool)| render(project, id, pool))
        .collect();
    page(call, "workloadIdentityPools", all, 1000)
}

pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let (project, pool) = find(call, &permission("get"))?;
    Ok(render(project, &call.param("pool"), pool))
}

pub(super) fn patch(call: &mut Call<'_, '_>) -> Answer {
    let (project, pool) = find(call, &permission("update"))?;
    let number = project.number.clone();
    if pool.life != Life::Active {
        return Err(Refusal::precondition(
            "The workload identity pool is deleted.",
        ));
    }
    let mask = call.mask(&call.body);
    let (given, id) = (call.body.clone(), call.param("pool"));
    edit(call, &number, |pool| {
        let text = |field: &str| given[field].as_str().unwrap_or_default().to_owned();
        if mask.contains("displayName") {
            pool.display_name = text("displayName");
        }
        if mask.contains("description") {
            pool.description = text("description");
        }
        if mask.contains("disabled") {
            pool.disabled = given["disabled"] == true;
        }
    })?;
    changed(call, &number, &id)
}

pub(super) fn delete(call: &mut Call<'_, '_>) -> Answer {
    let (project, pool) = find(call, &permission("delete"))?;
    let number = project.number.clone();
    if pool.life != Life::Active {
        return Err(Refusal::not_found("Requested entity was not found."));
    }
    let (at, id) = (call.at.now, call.param("pool"));
    edit(call, &number, |pool| pool.life = Life::Deleted { at })?;
    changed(call, &number, &id)
}

pub(super) fn undelete(call: &mut Call<'_, '_>) -> Answer {
    let (project, pool) = find(call, &permission("undelete"))?;
    let number = project.number.clone();
    if pool.life == Life::Active {
        return Err(Refusal::precondition(
            "The workload identity pool is not deleted.",
        ));
    }
    let id = call.param("pool");
    edit(call, &number, |pool| pool.life = Life::Active)?;
    changed(call, &number, &id)
}

pub(super) fn operation(call: &mut Call<'_, '_>) -> Answer {
    let project = call.path_project(&permission("get"))?;
    let prefix = path(project, &call.param("pool"));
    call.poll(&format!("{prefix}/operations/{}", call.param("operation")))
}
