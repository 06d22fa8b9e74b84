//! Conditions on the assignments of our roles: which assignments they may in
//! turn make and remove.
//!
//! Microsoft Learn: "Delegate Azure role assignment management to others with
//! conditions", "Azure role assignment condition format and syntax".

use super::table::table;
use landfall_model::grant::{Identity, azure::object_id_of};

pub(super) fn of(identity: Identity, with_reaper: bool) -> String {
    match identity {
        Identity::Provisioner => provisioner(with_reaper),
        Identity::Reaper => reaper(),
    }
}

fn roles() -> String {
    let ids: Vec<&str> = table()
        .assignable
        .iter()
        .map(|role| role.id.as_str())
        .collect();
    ids.join(", ")
}

/// Only roles for workloads, only to service principals, and never to one of
/// our own two: with "Storage Blob Data Contributor" on itself, the provisioner
/// could empty a bucket.
fn provisioner(with_reaper: bool) -> String {
    let mut ours = vec![object_id_of(Identity::Provisioner)];
    if with_reaper {
        ours.push(object_id_of(Identity::Reaper));
    }
    format!(
        "((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/write'}})) OR \
         (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] \
         ForAnyOfAnyValues:GuidEquals {{{roles}}} AND \
         @Request[Microsoft.Authorization/roleAssignments:PrincipalType] \
         ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}} AND \
         @Request[Microsoft.Authorization/roleAssignments:PrincipalId] \
         ForAnyOfAllValues:GuidNotEquals {{{ours}}}))",
        roles = roles(),
        ours = ours.join(", "),
    )
}

/// It takes back what workloads were given, and nobody else's roles.
fn reaper() -> String {
    format!(
        "((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/delete'}})) OR \
         (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] \
         ForAnyOfAnyValues:GuidEquals {{{}}}))",
        roles()
    )
}
