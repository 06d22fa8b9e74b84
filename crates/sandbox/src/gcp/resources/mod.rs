//! The hierarchy and what hangs on it: policies, APIs, billing, organization
//! policies, quotas.

mod billing;
pub(super) mod constraint;
mod folders;
mod org_policy;
mod projects;
pub(super) mod quotas;
pub(super) mod set;
mod usage;

pub(super) use usage::service_title;

use super::call::{Answer, Call};
use super::error::Refusal;
use super::route::Methods;
use serde_json::{Value, json};

pub(super) const MANAGER: Methods = &[
    (
        "GET",
        "v3/projects:search",
        "cloudresourcemanager.projects.search",
        projects::search,
    ),
    (
        "GET",
        "v3/projects",
        "cloudresourcemanager.projects.list",
        projects::list,
    ),
    (
        "POST",
        "v3/projects",
        "cloudresourcemanager.projects.create",
        projects::create,
    ),
    (
        "GET",
        "v3/projects/{project}",
        "cloudresourcemanager.projects.get",
        projects::get,
    ),
    (
        "DELETE",
        "v3/projects/{project}",
        "cloudresourcemanager.projects.delete",
        projects::delete,
    ),
    (
        "POST",
        "v3/projects/{project}:undelete",
        "cloudresourcemanager.projects.undelete",
        projects::undelete,
    ),
    (
        "POST",
        "v3/projects/{project}:getIamPolicy",
        "cloudresourcemanager.projects.getIamPolicy",
        set::get,
    ),
    (
        "POST",
        "v3/projects/{project}:setIamPolicy",
        "cloudresourcemanager.projects.setIamPolicy",
        set::set,
    ),
    (
        "POST",
        "v3/projects/{project}:testIamPermissions",
        "cloudresourcemanager.projects.testIamPermissions",
        set::test_permissions,
    ),
    (
        "POST",
        "v1/projects/{project}:getAncestry",
        "cloudresourcemanager.projects.getAncestry",
        projects::ancestry,
    ),
    (
        "GET",
        "v3/folders:search",
        "cloudresourcemanager.folders.search",
        folders::search,
    ),
    (
        "GET",
        "v3/folders",
        "cloudresourcemanager.folders.list",
        folders::list,
    ),
    (
        "GET",
        "v3/folders/{folder}",
        "cloudresourcemanager.folders.get",
        folders::get,
    ),
    (
        "POST",
        "v3/folders/{folder}:getIamPolicy",
        "cloudresourcemanager.folders.getIamPolicy",
        set::get,
    ),
    (
        "POST",
        "v3/folders/{folder}:setIamPolicy",
        "cloudresourcemanager.folders.setIamPolicy",
        set::set,
    ),
    (
        "POST",
        "v3/folders/{folder}:testIamPermissions",
        "cloudresourcemanager.folders.testIamPermissions",
        set::test_permissions,
    ),
    (
        "GET",
        "v3/organizations:search",
        "cloudresourcemanager.organizations.search",
        folders::search_organizations,
    ),
    (
        "GET",
        "v3/organizations/{organization}",
        "cloudresourcemanager.organizations.get",
        folders::get_organization,
    ),
    (
        "POST",
        "v3/organizations/{organization}:getIamPolicy",
        "cloudresourcemanager.organizations.getIamPolicy",
        set::get,
    ),
    (
        "POST",
        "v3/organizations/{organization}:setIamPolicy",
        "cloudresourcemanager.organizations.setIamPolicy",
        set::set,
    ),
    (
        "POST",
        "v3/organizations/{organization}:testIamPermissions",
        "cloudresourcemanager.organizations.testIamPermissions",
        set::test_permissions,
    ),
    (
        "GET",
        "v3/operations/{operation}",
        "cloudresourcemanager.operations.get",
        operation_v3,
    ),
];

pub(super) const USAGE: Methods = &[
    (
        "GET",
        "v1/projects/{project}/services",
        "serviceusage.services.list",
        usage::list,
    ),
    (
        "GET",
        "v1/projects/{project}/services/{service}",
        "serviceusage.services.get",
        usage::get,
    ),
    (
        "POST",
        "v1/projects/{project}/services/{service}:enable",
        "serviceusage.services.enable",
        usage::enable,
    ),
    (
        "POST",
        "v1/projects/{project}/services/{service}:disable",
        "serviceusage.services.disable",
        usage::disable,
    ),
    (
        "POST",
        "v1/projects/{project}/services:batchEnable",
        "serviceusage.services.batchEnable",
        usage::batch_enable,
    ),
    (
        "GET",
        "v1/projects/{project}/services:batchGet",
        "serviceusage.services.batchGet",
        usage::batch_get,
    ),
    (
        "GET",
        "v1/operations/{operation}",
        "serviceusage.operations.get",
        operation_v1,
    ),
];

pub(super) const BILLING: Methods = &[(
    "GET",
    "v1/projects/{project}/billingInfo",
    "cloudbilling.projects.getBillingInfo",
    billing::get,
)];

pub(super) const ORG_POLICY: Methods = &[
    (
        "GET",
        "v2/projects/{project}/policies",
        "orgpolicy.projects.policies.list",
        org_policy::list,
    ),
    (
        "GET",
        "v2/projects/{project}/policies/{constraint}",
        "orgpolicy.projects.policies.get",
        org_policy::get,
    ),
    (
        "GET",
        "v2/projects/{project}/policies/{constraint}:getEffectivePolicy",
        "orgpolicy.projects.policies.getEffectivePolicy",
        org_policy::effective,
    ),
    (
        "GET",
        "v2/folders/{folder}/policies",
        "orgpolicy.folders.policies.list",
        org_policy::list,
    ),
    (
        "GET",
        "v2/folders/{folder}/policies/{constraint}",
        "orgpolicy.folders.policies.get",
        org_policy::get,
    ),
    (
        "GET",
        "v2/folders/{folder}/policies/{constraint}:getEffectivePolicy",
        "orgpolicy.folders.policies.getEffectivePolicy",
        org_policy::effective,
    ),
    (
        "GET",
        "v2/organizations/{organization}/policies",
        "orgpolicy.organizations.policies.list",
        org_policy::list,
    ),
    (
        "GET",
        "v2/organizations/{organization}/policies/{constraint}",
        "orgpolicy.organizations.policies.get",
        org_policy::get,
    ),
    (
        "GET",
        "v2/organizations/{organization}/policies/{constraint}:getEffectivePolicy",
        "orgpolicy.organizations.policies.getEffectivePolicy",
        org_policy::effective,
    ),
];

pub(super) const QUOTAS: Methods = &[
    (
        "GET",
        "v1/projects/{project}/locations/global/services/{service}/quotaInfos",
        "cloudquotas.projects.locations.services.quotaInfos.list",
        quotas::list,
    ),
    (
        "GET",
        "v1/projects/{project}/locations/global/services/{service}/quotaInfos/{quota}",
        "cloudquotas.projects.locations.services.quotaInfos.get",
        quotas::get,
    ),
];

fn operation_v3(call: &mut Call<'_, '_>) -> Answer {
    call.poll(&format!("operations/{}", call.param("operation")))
}

fn operation_v1(call: &mut Call<'_, '_>) -> Answer {
    operation_v3(call)
}

/// The node that the path names, of whatever kind.
fn named(call: &Call<'_, '_>) -> String {
    for (parameter, collection) in [
        ("organization", "organizations"),
        ("folder", "folders"),
        ("project", "projects"),
    ] {
        if let Some(id) = call.params.get(parameter) {
            return format!("{collection}/{id}");
        }
    }
    String::new()
}

/// The version of a policy that a reader asked for.
pub(super) fn requested_version(call: &Call<'_, '_>) -> Result<u64, Refusal> {
    let given = call
        .body
        .pointer("/options/requestedPolicyVersion")
        .and_then(Value::as_u64)
        .or_else(|| call.query("options.requestedPolicyVersion")?.parse().ok())
        .unwrap_or(1);
    match given {
        0 | 1 | 3 => Ok(given),
        _ => Err(Refusal::invalid(
            "Requested policy version must be 0, 1 or 3.",
        )),
    }
}

/// The permissions of those asked for that the caller has.
pub(super) fn test(call: &Call<'_, '_>, has: impl Fn(&str) -> bool) -> Answer {
    let asked: Vec<&str> = call.body["permissions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if asked.len() > 100 {
        return Err(Refusal::invalid(
            "Too many permissions in one request: at most 100 can be tested.",
        ));
    }
    if let Some(wrong) = asked
        .iter()
        .find(|permission| !super::roles::is_permission(permission))
    {
        return Err(Refusal::invalid(format!(
            "Permission {wrong} is not valid for this resource."
        )));
    }
    let held: Vec<&str> = asked
        .into_iter()
        .filter(|permission| has(permission))
        .collect();
    Ok(if held.is_empty() {
        json!({})
    } else {
        json!({ "permissions": held })
    })
}
