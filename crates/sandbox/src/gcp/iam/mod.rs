//! IAM v1: service accounts, their keys, workload identity pools, custom roles.

mod accounts;
mod custom_roles;
mod keys;
mod pools;
mod providers;

pub(super) use accounts::remove as remove_account;

use super::call::{Answer, Call};
use super::state::Life;
use crate::clock::SimTime;
use std::time::Duration;

type Methods = &'static [(
    &'static str,
    &'static str,
    &'static str,
    fn(&mut Call<'_, '_>) -> Answer,
)];

/// How long what was deleted can be brought back, and its id stays taken.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

impl Life {
    /// Whether something that was deleted is gone for good.
    fn is_over(self, now: SimTime) -> bool {
        matches!(self, Self::Deleted { at } if at.plus(KEPT) <= now)
    }
}

pub(super) const METHODS: Methods = &[
    (
        "POST",
        "v1/projects/{project}/serviceAccounts",
        "iam.projects.serviceAccounts.create",
        accounts::create,
    ),
    (
        "GET",
        "v1/projects/{project}/serviceAccounts",
        "iam.projects.serviceAccounts.list",
        accounts::list,
    ),
    (
        "GET",
        "v1/projects/{project}/serviceAccounts/{account}",
        "iam.projects.serviceAccounts.get",
        accounts::get,
    ),
    (
        "PATCH",
        "v1/projects/{project}/serviceAccounts/{account}",
        "iam.projects.serviceAccounts.patch",
        accounts::patch,
    ),
    (
        "DELETE",
        "v1/projects/{project}/serviceAccounts/{account}",
        "iam.projects.serviceAccounts.delete",
        accounts::delete,
    ),
    (
        "POST",
        "v1/projects/{project}/serviceAccounts/{account}:undelete",
        "iam.projects.serviceAccounts.undelete",
        accounts::undelete,
    ),
    (
        "POST",
        "v1/projects/{project}/serviceAccounts/{account}:disable",
        "iam.projects.serviceAccounts.disable",
        accounts::disable,
    ),
    (
        "POST",
        "v1/projects/{project}/serviceAccounts/{account}:enable",
        "iam.projects.serviceAccounts.enable",
        accounts::enable,
    ),
    (
        "POST",
        "v1/projects/{project}/serviceAccounts/{account}:getIamPolicy",
        "iam.projects.serviceAccounts.getIamPolicy",
        accounts::get_policy,
    ),
    (
        "POST",
        "v1/projects/{project}/serviceAccounts/{account}:setIamPolicy",
        "iam.projects.serviceAccounts.setIamPolicy",
        accounts::set_policy,
    ),
    (
        "POST",
        "v1/projects/{project}/serviceAccounts/{account}:testIamPermissions",
        "iam.projects.serviceAccounts.testIamPermissions",
        accounts::test_permissions,
    ),
    (
        "POST",
        "v1/projects/{project}/serviceAccounts/{account}/keys",
        "iam.projects.serviceAccounts.keys.create",
        keys::create,
    ),
    (
        "GET",
        "v1/projects/{project}/serviceAccounts/{account}/keys",
        "iam.projects.serviceAccounts.keys.list",
        keys::list,
    ),
    (
        "GET",
        "v1/projects/{project}/serviceAccounts/{account}/keys/{key}",
        "iam.projects.serviceAccounts.keys.get",
        keys::get,
    ),
    (
        "DELETE",
        "v1/projects/{project}/serviceAccounts/{account}/keys/{key}",
        "iam.projects.serviceAccounts.keys.delete",
        keys::delete,
    ),
    (
        "POST",
        "v1/projects/{project}/locations/global/workloadIdentityPools",
        "iam.projects.locations.workloadIdentityPools.create",
        pools::create,
    ),
    (
        "GET",
        "v1/projects/{project}/locations/global/workloadIdentityPools",
        "iam.projects.locations.workloadIdentityPools.list",
        pools::list,
    ),
    (
        "GET",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}",
        "iam.projects.locations.workloadIdentityPools.get",
        pools::get,
    ),
    (
        "PATCH",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}",
        "iam.projects.locations.workloadIdentityPools.patch",
        pools::patch,
    ),
    (
        "DELETE",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}",
        "iam.projects.locations.workloadIdentityPools.delete",
        pools::delete,
    ),
    (
        "POST",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}:undelete",
        "iam.projects.locations.workloadIdentityPools.undelete",
        pools::undelete,
    ),
    (
        "GET",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}/operations/{operation}",
        "iam.projects.locations.workloadIdentityPools.operations.get",
        pools::operation,
    ),
    (
        "POST",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}/providers",
        "iam.projects.locations.workloadIdentityPools.providers.create",
        providers::create,
    ),
    (
        "GET",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}/providers",
        "iam.projects.locations.workloadIdentityPools.providers.list",
        providers::list,
    ),
    (
        "GET",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}/providers/{provider}",
        "iam.projects.locations.workloadIdentityPools.providers.get",
        providers::get,
    ),
    (
        "PATCH",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}/providers/{provider}",
        "iam.projects.locations.workloadIdentityPools.providers.patch",
        providers::patch,
    ),
    (
        "DELETE",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}/providers/{provider}",
        "iam.projects.locations.workloadIdentityPools.providers.delete",
        providers::delete,
    ),
    (
        "POST",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}/providers/{provider}:undelete",
        "iam.projects.locations.workloadIdentityPools.providers.undelete",
        providers::undelete,
    ),
    (
        "GET",
        "v1/projects/{project}/locations/global/workloadIdentityPools/{pool}/providers/{provider}/operations/{operation}",
        "iam.projects.locations.workloadIdentityPools.providers.operations.get",
        providers::operation,
    ),
    (
        "GET",
        "v1/roles",
        "iam.roles.list",
        custom_roles::predefined,
    ),
    (
        "GET",
        "v1/roles/{role}",
        "iam.roles.get",
        custom_roles::get_predefined,
    ),
    (
        "POST",
        "v1/projects/{project}/roles",
        "iam.projects.roles.create",
        custom_roles::create,
    ),
    (
        "GET",
        "v1/projects/{project}/roles",
        "iam.projects.roles.list",
        custom_roles::list,
    ),
    (
        "GET",
        "v1/projects/{project}/roles/{role}",
        "iam.projects.roles.get",
        custom_roles::get,
    ),
    (
        "PATCH",
        "v1/projects/{project}/roles/{role}",
        "iam.projects.roles.patch",
        custom_roles::patch,
    ),
    (
        "DELETE",
        "v1/projects/{project}/roles/{role}",
        "iam.projects.roles.delete",
        custom_roles::delete,
    ),
    (
        "POST",
        "v1/projects/{project}/roles/{role}:undelete",
        "iam.projects.roles.undelete",
        custom_roles::undelete,
    ),
    (
        "POST",
        "v1/organizations/{organization}/roles",
        "iam.organizations.roles.create",
        custom_roles::create,
    ),
    (
        "GET",
        "v1/organizations/{organization}/roles",
        "iam.organizations.roles.list",
        custom_roles::list,
    ),
    (
        "GET",
        "v1/organizations/{organization}/roles/{role}",
        "iam.organizations.roles.get",
        custom_roles::get,
    ),
    (
        "PATCH",
        "v1/organizations/{organization}/roles/{role}",
        "iam.organizations.roles.patch",
        custom_roles::patch,
    ),
    (
        "DELETE",
        "v1/organizations/{organization}/roles/{role}",
        "iam.organizations.roles.delete",
        custom_roles::delete,
    ),
    (
        "POST",
        "v1/organizations/{organization}/roles/{role}:undelete",
        "iam.organizations.roles.undelete",
        custom_roles::undelete,
    ),
];
