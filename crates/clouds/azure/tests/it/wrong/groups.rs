//! Wrong where the grant is at a management group.

use super::{BY_PROVISIONER, BY_REAPER, Row, actions, assignment, fails, warns};
use crate::support::{
    customer::{AUTHORIZATION, Grant, guid},
    groups::at,
    scene::Scene,
};
use futures::{FutureExt as _, future::BoxFuture};
use landfall_model::{connection::Connection, grant::Identity};
use serde_json::{Value, json};

/// The subscription goes to a group below the one of the grant, and the
/// connection says that one.
fn granted_further_up<'a>(
    scene: &'a Scene,
    connection: &'a mut Connection,
    _: &'a Grant,
) -> BoxFuture<'a, ()> {
    async {
        let admin = scene.administrator().await;
        let azure = connection.azure().unwrap();
        let parent = azure.management_group().unwrap().to_string();
        let below = scene.group(&admin, Some(&parent)).await;
        scene.move_to(&admin, &scene.subscription, &below).await;
        at(connection, &below);
    }
    .boxed()
}

/// The assignment of an identity, in the subscription instead of at the group.
async fn only_in_the_subscription(scene: &Scene, grant: &Grant, identity: Identity) {
    let admin = scene.administrator().await;
    let path = format!("{}?{AUTHORIZATION}", grant[&identity].assignment);
    let assignment = admin.must("GET", &path, Value::Null).await;
    admin.must("DELETE", &path, Value::Null).await;
    let path = format!(
        "/subscriptions/{}/providers/Microsoft.Authorization/roleAssignments/{}?{AUTHORIZATION}",
        scene.subscription,
        guid()
    );
    admin.must("PUT", &path, assignment).await;
}

/// Wrong by every method.
pub(super) fn of_all() -> Vec<Row> {
    vec![
        fails(
            "a subscription that is not below the group",
            "azure.management-group-above",
            "not below the group",
            "disconnect, and connect with one that the subscription is below",
            |scene, _, _| {
                async {
                    let admin = scene.administrator().await;
                    let elsewhere = scene.group(&admin, None).await;
                    scene.move_to(&admin, &scene.subscription, &elsewhere).await;
                }
                .boxed()
            },
        )
        .refused(),
        warns(
            "a role that can be assigned elsewhere, too",
            "azure.grant-as-specified",
            "can be assigned at",
            "in this management group",
            |scene, _, grant| {
                async {
                    let subscription = format!("/subscriptions/{}", scene.subscription);
                    scene
                        .edit(&grant[&BY_PROVISIONER], |role| {
                            let scopes = role["assignableScopes"].as_array_mut().unwrap();
                            scopes.push(json!(subscription));
                        })
                        .await;
                }
                .boxed()
            },
        ),
        fails(
            "an action taken out of the role at the group",
            "azure.permissions.secrets",
            "Microsoft.KeyVault/vaults/write",
            "run the script again",
            |scene, _, grant| {
                actions(scene, grant, BY_PROVISIONER, |all| {
                    all.retain(|action| action != "Microsoft.KeyVault/vaults/write");
                })
                .boxed()
            },
        ),
        warns(
            "the second key added to the role at the group",
            "azure.two-keys",
            "two keys: no",
            "in the management group",
            |scene, _, grant| {
                actions(scene, grant, BY_PROVISIONER, |all| {
                    all.push(json!("Microsoft.Authorization/locks/delete"));
                })
                .boxed()
            },
        ),
        warns(
            "an assignment at the group without its condition",
            "azure.assignments-limited",
            "any role to anybody",
            "run the script",
            |scene, _, grant| {
                assignment(scene, grant, BY_PROVISIONER, |properties| {
                    properties["condition"] = Value::Null;
                    properties["conditionVersion"] = Value::Null;
                })
                .boxed()
            },
        ),
        fails(
            "a reaper that is not assigned at the group",
            "azure.reaper-known",
            "no assignment",
            "run the script again",
            |scene, _, grant| {
                assignment(scene, grant, BY_REAPER, |properties| {
                    *properties = Value::Null;
                })
                .boxed()
            },
        ),
        warns(
            "a reaper that is assigned in one subscription only",
            "azure.grant-as-specified",
            "is assigned at /subscriptions/",
            "run the script again",
            |scene, _, grant| only_in_the_subscription(scene, grant, BY_REAPER).boxed(),
        ),
    ]
}

/// Wrong where an application of the customer's is the provisioner.
pub(super) fn of_own_application() -> Vec<Row> {
    vec![
        warns(
            "an assignment at the group that does not say whose it is",
            "azure.grant-as-specified",
            "does not say whose it is",
            "run the script again",
            |scene, _, grant| {
                assignment(scene, grant, BY_PROVISIONER, |properties| {
                    properties["description"] = json!("for Landfall");
                })
                .boxed()
            },
        ),
        warns(
            "a group where nothing is assigned",
            "azure.management-group-above",
            "not visible to us",
            "check the group's id",
            |_, connection, _| async { at(connection, "somebody-elses") }.boxed(),
        ),
        warns(
            "a grant at the group above only",
            "azure.grant-as-specified",
            "is assigned at /providers/",
            "run the script again",
            granted_further_up,
        ),
        warns(
            "a provisioner that is assigned in one subscription only",
            "azure.grant-as-specified",
            "is assigned at /subscriptions/",
            "run the script again",
            |scene, _, grant| only_in_the_subscription(scene, grant, BY_PROVISIONER).boxed(),
        ),
    ]
}

/// Wrong where the operator's application is the provisioner.
pub(super) fn of_consent() -> Vec<Row> {
    vec![
        fails(
            "an assignment at the group without the mark",
            "azure.ownership-proven",
            "at the management group",
            "Management groups → landing-zones-",
            |scene, _, grant| {
                assignment(scene, grant, BY_PROVISIONER, |properties| {
                    properties["description"] = json!("for Landfall");
                })
                .boxed()
            },
        )
        .refused(),
        fails(
            "the mark in one subscription below the group only",
            "azure.ownership-proven",
            "at the management group",
            "landfall:connection=",
            |scene, _, grant| only_in_the_subscription(scene, grant, BY_PROVISIONER).boxed(),
        )
        .refused(),
        fails(
            "the mark at the group above only",
            "azure.ownership-proven",
            "at the management group",
            "landfall:connection=",
            granted_further_up,
        )
        .refused(),
    ]
}
