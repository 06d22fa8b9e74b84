//! The rows, by what the methods have in common.

use super::{
    BY_PROVISIONER, BY_REAPER, Row, actions, assignment, client_id, fails, ids, principal, trusts,
    warns,
};
use crate::support::{
    customer::{Grant, guid},
    scene::{Scene, URL},
};
use futures::FutureExt as _;
use serde_json::{Value, json};

const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const READER: &str = "acdd72a7-3385-48ef-bd42-f606fba81ae7";

/// Wrong by every method.
pub(super) fn of_all() -> Vec<Row> {
    vec![
        fails(
            "a tenant that is not there",
            "azure.tenant-found",
            "AADSTS90002",
            "check the tenant id",
            |_, connection, _| {
                async {
                    ids(connection, |azure| {
                        azure.tenant_id = guid().parse().unwrap()
                    })
                }
                .boxed()
            },
        )
        .refused(),
        fails(
            "a subscription that is not there",
            "azure.subscription-found",
            "SubscriptionNotFound",
            "check the subscription id",
            |_, connection, _| {
                async {
                    ids(connection, |azure| {
                        azure.subscription_id = guid().parse().unwrap();
                    });
                }
                .boxed()
            },
        )
        .refused(),
        fails(
            "the subscription of another tenant",
            "azure.tenant-matches",
            "InvalidAuthenticationTokenTenant",
            "check both ids",
            |scene, connection, _| {
                async {
                    let others = scene.of_customer(1, "subscription_id");
                    ids(connection, |azure| {
                        azure.subscription_id = others.parse().unwrap();
                    });
                }
                .boxed()
            },
        )
        .refused(),
        fails(
            "a region that does not exist",
            "azure.regions-exist",
            "marseast",
            "list-locations",
            |_, connection, _| async { connection.regions.push("marseast".to_owned()) }.boxed(),
        ),
        fails(
            "an action taken out of the provisioner's role",
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
        fails(
            "an action taken out of the reaper's role",
            "azure.permissions.destruction-network",
            "Microsoft.Network/virtualNetworks/delete",
            "run the script again",
            |scene, _, grant| {
                actions(scene, grant, BY_REAPER, |all| {
                    all.retain(|action| action != "Microsoft.Network/virtualNetworks/delete");
                })
                .boxed()
            },
        ),
        warns(
            "the second key in the provisioner's role",
            "azure.two-keys",
            "two keys: no",
            "remove every other role",
            |scene, _, grant| {
                actions(scene, grant, BY_PROVISIONER, |all| {
                    all.push(json!("Microsoft.Authorization/locks/delete"));
                })
                .boxed()
            },
        ),
        warns(
            "an assignment without its condition",
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
        warns(
            "a role that does not say its version",
            "azure.grant-version",
            "does not say its version",
            "run the current script",
            |scene, _, grant| {
                scene
                    .edit(&grant[&BY_PROVISIONER], |role| {
                        role["description"] = json!("by hand");
                    })
                    .boxed()
            },
        ),
        fails(
            "a reaper whose assignment does not name its client",
            "azure.reaper-known",
            "landfall:client=",
            "run the script again",
            |scene, connection, grant| {
                async {
                    let mark = format!("landfall:connection={}", connection.external_id);
                    assignment(scene, grant, BY_REAPER, |properties| {
                        properties["description"] = json!(mark);
                    })
                    .await;
                }
                .boxed()
            },
        ),
        fails(
            "a reaper that was deleted",
            "azure.token-accepted.reaper",
            "AADSTS700016",
            "run the script again",
            |scene, _, grant| {
                async {
                    let path = format!("/v1.0/applications/{}", grant[&BY_REAPER].application);
                    let admin = scene.administrator().await;
                    admin.must("DELETE", &path, Value::Null).await;
                }
                .boxed()
            },
        ),
        fails(
            "a reaper that trusts another connection",
            "azure.token-accepted.reaper",
            "AADSTS700213",
            "the subject landfall:",
            |scene, _, grant| {
                let wrong = json!({"subject": "landfall:org_x:con_y"});
                trusts(scene, grant, BY_REAPER, wrong).boxed()
            },
        ),
        fails(
            "a reaper that trusts another audience",
            "azure.token-accepted.reaper",
            "AADSTS700212",
            "api://AzureADTokenExchange",
            |scene, _, grant| {
                let wrong = json!({"audiences": ["api://other"]});
                trusts(scene, grant, BY_REAPER, wrong).boxed()
            },
        ),
        fails(
            "a reaper without its role",
            "azure.reaper-known",
            "no assignment",
            "or connect without a reaper",
            |scene, _, grant| {
                assignment(scene, grant, BY_REAPER, |properties| {
                    *properties = Value::Null;
                })
                .boxed()
            },
        ),
    ]
}

/// Wrong where an application of the customer's is the provisioner.
pub(super) fn of_own_application() -> Vec<Row> {
    vec![
        fails(
            "an application that is not there",
            "azure.client-found",
            "AADSTS700016",
            "not as object id",
            |_, connection, _| async { client_id(connection, Some(&guid())) }.boxed(),
        )
        .refused(),
        fails(
            "an object id for a client id",
            "azure.client-found",
            "AADSTS700016",
            "not as object id",
            |_, connection, grant| {
                async { client_id(connection, Some(&grant[&BY_PROVISIONER].principal)) }.boxed()
            },
        )
        .refused(),
        fails(
            "an application that was switched off",
            "azure.client-found",
            "AADSTS7000112",
            "switched off",
            |scene, _, grant| {
                let off = json!({"accountEnabled": false});
                principal(scene, grant, BY_PROVISIONER, "PATCH", off).boxed()
            },
        )
        .refused(),
        fails(
            "no role",
            "azure.role-assigned.provisioner",
            "AuthorizationFailed",
            "found only by typing its whole name",
            |scene, _, grant| {
                assignment(scene, grant, BY_PROVISIONER, |properties| {
                    *properties = Value::Null;
                })
                .boxed()
            },
        )
        .refused(),
        warns(
            "a broader role beside the generated one",
            "azure.grant-as-specified",
            "the provisioner also has Owner",
            "run the script again",
            |scene, _, grant| scene.also(&grant[&BY_PROVISIONER], "Owner").boxed(),
        ),
    ]
}

pub(super) fn of_assertions() -> Vec<Row> {
    vec![
        fails(
            "no client id",
            "azure.client-found",
            "was not entered yet",
            "enter the client id",
            |_, connection, _| async { client_id(connection, None) }.boxed(),
        ),
        fails(
            "the reaper's client id",
            "azure.role-assigned.provisioner",
            "AuthorizationFailed",
            "assign the role",
            |scene, connection, grant| {
                async {
                    client_id(connection, Some(&grant[&BY_REAPER].client));
                    assignment(scene, grant, BY_REAPER, |properties| {
                        *properties = Value::Null;
                    })
                    .await;
                }
                .boxed()
            },
        )
        .refused(),
        fails(
            "no federated credential",
            "azure.token-accepted.provisioner",
            "AADSTS70025",
            URL,
            |scene, _, grant| trusts(scene, grant, BY_PROVISIONER, Value::Null).boxed(),
        )
        .refused(),
        fails(
            "another issuer",
            "azure.token-accepted.provisioner",
            "AADSTS700211",
            URL,
            |scene, _, grant| {
                let wrong = json!({"issuer": "https://id.landfall.example/other"});
                trusts(scene, grant, BY_PROVISIONER, wrong).boxed()
            },
        )
        .refused(),
        fails(
            "another subject",
            "azure.token-accepted.provisioner",
            "AADSTS700213",
            "the subject landfall:",
            |scene, _, grant| {
                let wrong = json!({"subject": "landfall:org_x:con_y"});
                trusts(scene, grant, BY_PROVISIONER, wrong).boxed()
            },
        )
        .refused(),
        fails(
            "another audience",
            "azure.token-accepted.provisioner",
            "AADSTS700212",
            "api://AzureADTokenExchange",
            |scene, _, grant| {
                let wrong = json!({"audiences": ["api://other"]});
                trusts(scene, grant, BY_PROVISIONER, wrong).boxed()
            },
        )
        .refused(),
    ]
}

pub(super) fn of_secrets() -> Vec<Row> {
    vec![
        fails(
            "a secret of nobody",
            "azure.secret-accepted",
            "AADSTS7000215",
            "the column Secret ID is not it",
            |scene, connection, _| {
                async {
                    let nobodys = "abc8Q~0123456789012345678901234567890._-";
                    scene.replace_secret(connection, nobodys);
                }
                .boxed()
            },
        )
        .refused(),
        fails(
            "a secret of another application",
            "azure.secret-accepted",
            "AADSTS7000215",
            "check the client secret",
            |scene, connection, grant| {
                async {
                    let reapers = scene.add_secret(&grant[&BY_REAPER], 300).await;
                    scene.replace_secret(connection, &reapers);
                }
                .boxed()
            },
        )
        .refused(),
        fails(
            "a secret that has expired",
            "azure.secret-expiry",
            "workloads are unaffected",
            "make a new secret",
            |scene, connection, grant| {
                async {
                    let over = scene.add_secret(&grant[&BY_PROVISIONER], -1).await;
                    scene.replace_secret(connection, &over);
                }
                .boxed()
            },
        ),
        warns(
            "a secret that nobody knows the end of",
            "azure.secret-expiry",
            "nobody entered it",
            "enter the day",
            |_, _, _| async {}.boxed(),
        ),
        warns(
            "a secret of which Graph says that it ends soon",
            "azure.secret-expiry",
            "30 days' warning",
            "make a new secret",
            |scene, connection, grant| {
                async {
                    let made = &grant[&BY_PROVISIONER];
                    scene.let_rotate(made).await;
                    scene.use_secret(connection, made, 20).await;
                }
                .boxed()
            },
        ),
        warns(
            "the permission to rotate without the ownership",
            "azure.secret-rotates",
            "does not own it",
            "az ad app owner add",
            |scene, _, grant| {
                let owned = "18a4783c-866b-4cc7-a460-3d5e5662c884";
                scene.permit(&grant[&BY_PROVISIONER], owned).boxed()
            },
        ),
        warns(
            "a permission in Graph that is not needed",
            "azure.graph-permissions",
            "Directory.Read.All",
            "take it back",
            |scene, _, grant| {
                let read = "7ab1d382-f21e-4acd-a863-ba3e13f7da61";
                scene.permit(&grant[&BY_PROVISIONER], read).boxed()
            },
        ),
    ]
}

pub(super) fn of_consent() -> Vec<Row> {
    async fn described(scene: &Scene, grant: &Grant, text: &str) {
        assignment(scene, grant, BY_PROVISIONER, |properties| {
            properties["description"] = json!(text);
        })
        .await;
    }
    async fn role(scene: &Scene, grant: &Grant, role: &str) {
        assignment(scene, grant, BY_PROVISIONER, |properties| {
            let id = format!("/providers/Microsoft.Authorization/roleDefinitions/{role}");
            properties["roleDefinitionId"] = json!(id);
            properties["condition"] = Value::Null;
            properties["conditionVersion"] = Value::Null;
        })
        .await;
    }
    vec![
        fails(
            "an assignment without the mark",
            "azure.ownership-proven",
            "no assignment",
            "into the description",
            |scene, _, grant| described(scene, grant, "Landfall").boxed(),
        )
        .refused(),
        fails(
            "the mark of another connection",
            "azure.ownership-proven",
            "no assignment",
            "into the description",
            |scene, _, grant| {
                described(scene, grant, "landfall:connection=landfall-000000").boxed()
            },
        )
        .refused(),
        fails(
            "the mark on a role that makes nothing",
            "azure.ownership-proven",
            "makes nothing",
            "run the script",
            |scene, _, grant| role(scene, grant, READER).boxed(),
        )
        .refused(),
        warns(
            "Owner in place of the generated role",
            "azure.two-keys",
            "by Owner",
            "landfall-provisioner-",
            |scene, _, grant| role(scene, grant, OWNER).boxed(),
        ),
        // The same service principal for all: so these are the last.
        fails(
            "the application switched off",
            "azure.consent-given",
            "AADSTS7000112",
            "switched off",
            |scene, _, grant| {
                let off = json!({"accountEnabled": false});
                principal(scene, grant, BY_PROVISIONER, "PATCH", off).boxed()
            },
        )
        .refused(),
        fails(
            "the application removed from the tenant",
            "azure.consent-given",
            "AADSTS7000229",
            "Approve on Microsoft's page",
            |scene, _, grant| {
                principal(scene, grant, BY_PROVISIONER, "DELETE", Value::Null).boxed()
            },
        )
        .refused(),
    ]
}
