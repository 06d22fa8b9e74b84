//! Whose connection it is, where all customers are entered as one application.
//!
//! After one organization approved the operator's application, a token for its
//! tenant says nothing about who asks for it: another organization of this
//! server could enter the same tenant and subscription. So a connection counts
//! only when a role assignment in the subscription carries its nonce in the
//! description: who wrote that may assign roles there. And the role must be one
//! by which things are made, for assigning harmless roles is often delegated to
//! people who own nothing.
//!
//! Where the grant is at a management group, the assignment must be there too:
//! whoever owns one subscription below a group may assign roles in it, and owns
//! none of the others.

use super::{
    reaper::{AUTHORIZATION, assignments, last_segment},
    verify::permissions::Permission,
};
use crate::client::Session;
use landfall_model::{
    connection::{AzureConnection, Guid},
    driver::{Failure, FailureKind},
    grant::azure::{CONNECTION_MARK, marked},
    patience::Patience,
};
use serde_json::Value;

/// In every grant of this server, of whatever version, and in the roles Owner
/// and Contributor; in none that workloads are given.
const MAKES: &str = "Microsoft.Resources/subscriptions/resourceGroups/write";

pub(super) enum Ownership {
    /// By an assignment of this role.
    Proven(String),
    /// Why it does not count.
    Unproven(String),
}

/// What the subscription says. Without `patience` nothing is asked twice.
pub(super) async fn look(
    session: &Session<'_>,
    azure: AzureConnection<'_>,
    patience: Option<Patience<'_>>,
) -> Result<Ownership, Failure> {
    let all = match patience {
        Some(patience) => patience.ask(|| assignments(session, azure)).await?,
        None => assignments(session, azure).await?,
    };
    let object_id = session.said.object_id.as_ref().map(Guid::as_str);
    let ours: Vec<&Value> = all
        .iter()
        .filter(|one| counts(one, object_id, azure))
        .collect();
    for assignment in &ours {
        let id = last_segment(
            assignment["properties"]["roleDefinitionId"]
                .as_str()
                .unwrap_or_default(),
        );
        let Ok(id) = id.parse::<Guid>() else { continue };
        let path = format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{id}",
            azure.subscription_id()
        );
        let query = [("api-version", AUTHORIZATION)];
        let role = match patience {
            Some(patience) => patience.ask(|| session.get(&path, &query)).await,
            None => session.get(&path, &query).await,
        };
        let role = match role {
            Ok(role) => role,
            // Deleted between the two looks.
            Err(failure) if failure.kind == FailureKind::NotFound => continue,
            Err(failure) => return Err(failure),
        };
        let makes = role["properties"]["permissions"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|permission| Permission::of(permission).allows(MAKES));
        if makes {
            let name = role["properties"]["roleName"].as_str().unwrap_or("a role");
            return Ok(Ownership::Proven(name.to_owned()));
        }
    }
    Ok(Ownership::Unproven(if ours.is_empty() {
        // Nothing of what others wrote is repeated.
        let place = match azure.management_group() {
            Some(group) => format!("at the management group {group}"),
            None => "in the subscription".to_owned(),
        };
        format!(
            "no assignment of a role to this server's application {place} says \
             {CONNECTION_MARK}{} in its description",
            azure.external_id
        )
    } else {
        format!(
            "the assignment that says {CONNECTION_MARK}{} is of a role that makes nothing",
            azure.external_id
        )
    }))
}

/// Ours, where the grant is or above it, with this connection's nonce.
pub(super) fn counts(
    assignment: &Value,
    object_id: Option<&str>,
    azure: AzureConnection<'_>,
) -> bool {
    let properties = &assignment["properties"];
    let text = |name: &str| properties[name].as_str().unwrap_or_default();
    let scope = text("scope").trim_end_matches('/').to_ascii_lowercase();
    // Of two groups it cannot be told which is above the other, so only one
    // counts for a grant at a group.
    let covers = scope.is_empty()
        || scope == azure.grant_scope().to_ascii_lowercase()
        || (azure.management_group().is_none()
            && scope.starts_with("/providers/microsoft.management/managementgroups/"));
    object_id.is_some_and(|id| text("principalId").eq_ignore_ascii_case(id))
        && covers
        && marked(text("description"), CONNECTION_MARK) == Some(azure.external_id.as_str())
}

/// For whatever is not a verification: nothing is asked on without the proof.
pub(super) async fn require(
    session: &Session<'_>,
    azure: AzureConnection<'_>,
    patience: Option<Patience<'_>>,
) -> Result<(), Failure> {
    match look(session, azure, patience).await? {
        Ownership::Proven(_) => Ok(()),
        Ownership::Unproven(why) => {
            Err(Failure::new(FailureKind::Denied, "OwnershipNotProven", why))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::guide::tests::{By, connection};
    use serde_json::json;

    #[test]
    fn only_an_assignment_to_us_at_the_subscription_with_the_nonce_counts() {
        let connection = connection("landfall-0123", None, By::Consent);
        let azure = connection.azure().unwrap();
        let us = "33333333-3333-4333-8333-333333333333";
        let at = |scope: &str, principal: &str, description: &str| {
            json!({"properties": {
                "scope": scope, "principalId": principal, "description": description,
            }})
        };
        let subscription = format!("/subscriptions/{}", azure.subscription_id());
        let good = "Landfall's provisioner. landfall:connection=landfall-0123 landfall:client=x";
        for (assignment, is) in [
            (at(&subscription, us, good), true),
            (at(&subscription.to_uppercase(), us, good), true),
            (
                at(
                    "/providers/Microsoft.Management/managementGroups/root",
                    us,
                    good,
                ),
                true,
            ),
            (at("/", us, good), true),
            (
                at(&format!("{subscription}/resourceGroups/x"), us, good),
                false,
            ),
            (
                at(
                    "/subscriptions/99999999-9999-4999-8999-999999999999",
                    us,
                    good,
                ),
                false,
            ),
            (
                at(&subscription, "44444444-4444-4444-8444-444444444444", good),
                false,
            ),
            (
                at(&subscription, us, "landfall:connection=landfall-01234"),
                false,
            ),
            (
                at(&subscription, us, "xlandfall:connection=landfall-0123"),
                false,
            ),
            (at(&subscription, us, ""), false),
        ] {
            assert_eq!(counts(&assignment, Some(us), azure), is, "{assignment}");
        }
        assert!(!counts(&at(&subscription, "", good), None, azure));
    }

    #[test]
    fn whoever_owns_a_subscription_does_not_own_the_group_above_it() {
        let group = "Landing-Zones".parse().ok();
        let connection = connection("landfall-0123", group, By::Consent);
        let azure = connection.azure().unwrap();
        let us = "33333333-3333-4333-8333-333333333333";
        let groups = "/providers/Microsoft.Management/managementGroups";
        let subscription = format!("/subscriptions/{}", azure.subscription_id());
        for (scope, is) in [
            (format!("{groups}/Landing-Zones"), true),
            (format!("{groups}/landing-zones").to_lowercase(), true),
            ("/".to_owned(), true),
            (subscription, false),
            (format!("{groups}/landing-zones-2"), false),
            (format!("{groups}/landing"), false),
        ] {
            let assignment = json!({"properties": {
                "scope": scope, "principalId": us,
                "description": "landfall:connection=landfall-0123",
            }});
            assert_eq!(counts(&assignment, Some(us), azure), is, "{scope}");
        }
    }
}
