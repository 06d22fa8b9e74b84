//! What is wrong, as a table: each row breaks one thing of a connection that
//! worked, and says which check tells it and what it tells people to do.

use crate::{
    consent,
    support::{
        change, check, connected,
        customer::{AUTHORIZATION, Grant, guid},
        scene::{Scene, URL, verify},
        with,
    },
};
use futures::{FutureExt as _, future::BoxFuture};
use landfall_model::{
    check::Outcome,
    connection::{AzureAccess, Connection},
    connector::Connector,
    grant::Identity,
};
use serde_json::{Value, json};

type Break = for<'a> fn(&'a Scene, &'a mut Connection, &'a Grant) -> BoxFuture<'a, ()>;

struct Row {
    what: &'static str,
    id: &'static str,
    outcome: Outcome,
    evidence: &'static str,
    remedy: &'static str,
    /// Nothing else can be said of the connection.
    refused: bool,
    break_it: Break,
}

const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const ACR_PULL: &str = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
const BY_REAPER: Identity = Identity::Reaper;
const BY_PROVISIONER: Identity = Identity::Provisioner;

fn fails(
    what: &'static str,
    id: &'static str,
    evidence: &'static str,
    remedy: &'static str,
    break_it: Break,
) -> Row {
    Row {
        what,
        id,
        outcome: Outcome::Fail,
        evidence,
        remedy,
        refused: false,
        break_it,
    }
}

fn warns(
    what: &'static str,
    id: &'static str,
    evidence: &'static str,
    remedy: &'static str,
    break_it: Break,
) -> Row {
    Row {
        outcome: Outcome::Warn,
        ..fails(what, id, evidence, remedy, break_it)
    }
}

impl Row {
    fn refused(self) -> Self {
        Self {
            refused: true,
            ..self
        }
    }
}

fn ids(connection: &mut Connection, with: impl FnOnce(&mut landfall_model::connection::Azure)) {
    change(connection, with);
}

fn client_id(connection: &mut Connection, id: Option<&str>) {
    ids(connection, |azure| {
        let wanted = id.map(|id| id.parse().unwrap());
        match &mut azure.access {
            AzureAccess::WorkloadIdentity { client_id }
            | AzureAccess::AdminConsent { client_id, .. } => *client_id = wanted,
            AzureAccess::ClientSecret { client_id, .. } => {
                *client_id = wanted.expect("there is always one");
            }
        }
    });
}

/// What an administrator does to the assignment of an identity.
async fn assignment(
    scene: &Scene,
    grant: &Grant,
    identity: Identity,
    edit: impl FnOnce(&mut Value),
) {
    let admin = scene.administrator().await;
    let path = format!("{}?{AUTHORIZATION}", grant[&identity].assignment);
    let mut assignment = admin.must("GET", &path, Value::Null).await;
    edit(&mut assignment["properties"]);
    admin.must("DELETE", &path, Value::Null).await;
    if !assignment["properties"].is_null() {
        admin.must("PUT", &path, assignment).await;
    }
}

async fn actions(
    scene: &Scene,
    grant: &Grant,
    identity: Identity,
    edit: impl FnOnce(&mut Vec<Value>),
) {
    scene
        .edit(&grant[&identity], |role| {
            edit(role["permissions"][0]["actions"].as_array_mut().unwrap());
        })
        .await;
}

/// Replaces what an application of the customer's trusts.
async fn trusts(scene: &Scene, grant: &Grant, identity: Identity, change: Value) {
    let admin = scene.administrator().await;
    let path = format!(
        "/v1.0/applications/{}/federatedIdentityCredentials/landfall",
        grant[&identity].application
    );
    let method = if change.is_null() { "DELETE" } else { "PATCH" };
    admin.must(method, &path, change).await;
}

async fn principal(scene: &Scene, grant: &Grant, identity: Identity, method: &str, body: Value) {
    let path = format!("/v1.0/servicePrincipals/{}", grant[&identity].principal);
    scene.administrator().await.must(method, &path, body).await;
}

/// Wrong by every method.
fn of_all() -> Vec<Row> {
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
fn of_own_application() -> Vec<Row> {
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

fn of_assertions() -> Vec<Row> {
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

fn of_secrets() -> Vec<Row> {
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

fn of_consent() -> Vec<Row> {
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
            |scene, _, grant| role(scene, grant, ACR_PULL).boxed(),
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

/// Each row on a connection and a grant of its own.
async fn all<'s>(
    scene: &'s Scene,
    connector: &dyn Connector,
    rows: Vec<Row>,
    make: impl AsyncFn(&'s Scene) -> (Connection, Grant),
) {
    for row in rows {
        let (mut connection, grant) = make(scene).await;
        connected(&mut connection);
        (row.break_it)(scene, &mut connection, &grant).await;
        let found = verify(connector, &connection).await;
        let what = row.what;
        let check = check(&found, row.id);
        assert_eq!(check.outcome, row.outcome, "{what}: {check:#?}");
        assert!(check.evidence.contains(row.evidence), "{what}: {check:#?}");
        assert!(check.remedy.contains(row.remedy), "{what}: {check:#?}");
        assert_eq!(found.refused, row.refused, "{what}");
        if row.outcome == Outcome::Warn {
            assert_eq!(with(&found, Outcome::Fail), [""; 0], "{what}");
        }
        assert_eq!(with(&found, Outcome::Propagating), [""; 0], "{what}");
        assert_eq!(with(&found, Outcome::Unanswered), [""; 0], "{what}");
        // One application may be the provisioner of several connections, and
        // may then do what any of them was given: out of the next row's way.
        let path = format!("{}?{AUTHORIZATION}", grant[&BY_PROVISIONER].assignment);
        let admin = scene.administrator().await;
        admin.call("DELETE", &path, Value::Null).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workload_identity() {
    let scene = Scene::new().await;
    let rows = [of_all(), of_own_application(), of_assertions()];
    let rows = rows.into_iter().flatten().collect();
    all(&scene, scene.connector.as_ref(), rows, async |scene| {
        let mut connection = scene.connection();
        let grant = scene.grant(&mut connection).await;
        (connection, grant)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_secret() {
    let scene = Scene::new().await;
    let connector = scene.by_secret(true);
    let rows = [of_all(), of_own_application(), of_secrets()];
    let rows = rows.into_iter().flatten().collect();
    all(&scene, connector.as_ref(), rows, async |scene| {
        let mut connection = scene.connection();
        let grant = scene.grant(&mut connection).await;
        let made = &grant[&BY_PROVISIONER];
        scene.use_secret(&mut connection, made, 300).await;
        (connection, grant)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_consent() {
    let scene = Scene::new().await;
    let connector = scene.by_consent(scene.with_application());
    let connection = consent::prepared(&scene, connector.as_ref()).await;
    consent::approved(&scene, connector.as_ref(), &connection).await;
    let rows = [of_all(), of_consent()];
    let rows = rows.into_iter().flatten().collect();
    let made = connector.as_ref();
    all(&scene, made, rows, async |scene| {
        let mut connection = consent::prepared(scene, made).await;
        let grant = scene.grant(&mut connection).await;
        (connection, grant)
    })
    .await;
}
