//! Finding the reaper's application.
//!
//! Entra chooses its client id when the setup runs, and asking people for a
//! second id is one more thing to mix up. So the setup writes it into the
//! description of the assignment of the reaper's role, which the provisioner
//! may read. With the narrow role it cannot forge that: it may assign none but
//! the listed roles.

use crate::client::Session;
use landfall_model::{
    connection::{AzureConnection, Guid},
    driver::{Failure, FailureKind},
    grant::{
        Identity,
        azure::{CLIENT_MARK, CONNECTION_MARK, marked},
    },
};
use serde_json::Value;

pub(super) const AUTHORIZATION: &str = "2022-04-01";

/// The custom roles that can be assigned in the subscription.
pub(super) async fn custom_roles(
    session: &Session<'_>,
    azure: AzureConnection<'_>,
) -> Result<Vec<Value>, Failure> {
    let path = format!(
        "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions",
        azure.subscription_id()
    );
    let query = [
        ("api-version", AUTHORIZATION),
        ("$filter", "type eq 'CustomRole'"),
    ];
    session.list(&path, &query).await
}

/// The assignments that count for the whole subscription, inherited ones among
/// them.
pub(super) async fn assignments(
    session: &Session<'_>,
    azure: AzureConnection<'_>,
) -> Result<Vec<Value>, Failure> {
    assignments_at(
        session,
        &format!("/subscriptions/{}", azure.subscription_id()),
    )
    .await
}

/// Those of a scope and of all above it.
pub(super) async fn assignments_at(
    session: &Session<'_>,
    scope: &str,
) -> Result<Vec<Value>, Failure> {
    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments");
    let query = [("api-version", AUTHORIZATION), ("$filter", "atScope()")];
    session.list(&path, &query).await
}

/// The role of ours with this identity's name.
pub(super) fn role_named<'v>(
    roles: &'v [Value],
    azure: AzureConnection<'_>,
    identity: Identity,
) -> Option<&'v Value> {
    let name = azure.display_name(identity.as_str());
    roles
        .iter()
        .find(|role| role["properties"]["roleName"].as_str() == Some(name.as_str()))
}

/// The id at the end of a resource id.
pub(super) fn last_segment(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// Whether an assignment is of this role.
pub(super) fn is_of(assignment: &Value, role: &Value) -> bool {
    let of = assignment["properties"]["roleDefinitionId"].as_str();
    let id = role["name"].as_str().unwrap_or_default();
    !id.is_empty() && of.is_some_and(|of| last_segment(of).eq_ignore_ascii_case(id))
}

/// Whether an assignment is at this scope itself.
pub(super) fn is_at(assignment: &Value, scope: &str) -> bool {
    assignment["properties"]["scope"]
        .as_str()
        .is_some_and(|is| is.trim_end_matches('/').eq_ignore_ascii_case(scope))
}

/// The reaper's client id, among what was read.
pub(super) fn client_among(
    azure: AzureConnection<'_>,
    roles: &[Value],
    assignments: &[Value],
) -> Result<Guid, Failure> {
    let name = azure.display_name(Identity::Reaper.as_str());
    let missing = |why: String| Failure::new(FailureKind::NotFound, "NoReaper", why);
    let role = role_named(roles, azure, Identity::Reaper).ok_or_else(|| {
        missing(format!(
            "no role {name} of {} counts in the subscription",
            azure.grant_scope()
        ))
    })?;
    let mut descriptions = assignments
        .iter()
        .filter(|assignment| is_of(assignment, role))
        .filter_map(|assignment| assignment["properties"]["description"].as_str())
        .filter(|text| marked(text, CONNECTION_MARK) == Some(azure.external_id.as_str()));
    let text = descriptions.next().ok_or_else(|| {
        missing(format!(
            "no assignment of the role {name} has this connection's {CONNECTION_MARK}{} in its \
             description",
            azure.external_id
        ))
    })?;
    marked(text, CLIENT_MARK)
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| {
            missing(format!(
                "the assignment of the role {name} does not say {CLIENT_MARK}<client id> in its \
                 description"
            ))
        })
}

/// The reaper's client id, as the provisioner sees it.
pub(super) async fn client(
    session: &Session<'_>,
    azure: AzureConnection<'_>,
) -> Result<Guid, Failure> {
    let (roles, assignments) =
        futures::try_join!(custom_roles(session, azure), assignments(session, azure))?;
    client_among(azure, &roles, &assignments)
}
