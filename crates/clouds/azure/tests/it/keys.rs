//! Two keys, tried: what the provisioner's own role refuses, and what the
//! reaper's allows.

use crate::support::{
    connected,
    customer::{AUTHORIZATION, Caller, Grant, guid},
    scene::{Scene, verify},
    shell::By,
};
use landfall_model::{connection::Connection, grant::Identity};
use serde_json::{Value, json};

const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const ACR_PULL: &str = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
const BLOB: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

async fn refused(caller: &Caller<'_>, method: &str, path: &str, body: Value) {
    let (status, answer) = caller.call(method, path, body).await;
    assert_eq!(status, 403, "{method} {path}: {answer}");
}

/// Where the two keys are tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the connection's subscription.
    Here,
    /// In another one below the management group of the grant.
    Elsewhere,
}

impl Place {
    /// Its subscription; before the grant.
    async fn of(self, scene: &Scene, connection: &mut Connection) -> String {
        match self {
            Self::Here => scene.subscription.clone(),
            Self::Elsewhere => {
                let group = scene.below_a_group(connection).await;
                scene.another_subscription(Some(&group)).await
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_assertions_there_are_two_keys() {
    by_assertions(Place::Here).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_assertions_there_are_two_keys_in_all_of_a_management_group() {
    by_assertions(Place::Elsewhere).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_secret_there_are_two_keys() {
    by_a_secret(Place::Here).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_secret_there_are_two_keys_in_all_of_a_management_group() {
    by_a_secret(Place::Elsewhere).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_consent_there_are_two_keys() {
    by_consent(Place::Here).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_consent_there_are_two_keys_in_all_of_a_management_group() {
    by_consent(Place::Elsewhere).await;
}

async fn by_assertions(place: Place) {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    let subscription = place.of(&scene, &mut connection).await;
    let grant = scene.grant(&mut connection).await;
    connected(&mut connection);
    let found = scene.verify(&connection).await;
    assert!(!found.refused);
    let provisioner = &grant[&Identity::Provisioner];
    let makes = scene.as_identity(&connection, provisioner).await;
    there_are_two_keys(&scene, &connection, &grant, &subscription, makes).await;
}

async fn by_a_secret(place: Place) {
    let scene = Scene::new().await;
    let connector = scene.by_secret(true);
    let mut connection = scene.connection();
    let subscription = place.of(&scene, &mut connection).await;
    let grant = scene.grant(&mut connection).await;
    let provisioner = &grant[&Identity::Provisioner];
    // What renews its own secret is part of what it could abuse.
    scene.let_rotate(provisioner).await;
    let secret = scene.use_secret(&mut connection, provisioner, 300).await;
    connected(&mut connection);
    let found = verify(connector.as_ref(), &connection).await;
    assert!(found.can_rotate && !found.refused);
    let makes = scene.as_client(&provisioner.client, &secret).await;
    // The reaper's application is not its to add a secret to.
    let reaper = &grant[&Identity::Reaper];
    for change in ["addPassword", "federatedIdentityCredentials"] {
        let path = format!("/v1.0/applications/{}/{change}", reaper.application);
        let body = json!({"name": "x", "issuer": "https://evil.example", "subject": "x",
            "audiences": ["api://AzureADTokenExchange"], "passwordCredential": {}});
        refused(&makes, "POST", &path, body).await;
    }
    there_are_two_keys(&scene, &connection, &grant, &subscription, makes).await;
}

async fn by_consent(place: Place) {
    let scene = Scene::new().await;
    let connector = By::Consent.connector(&scene);
    let mut connection = By::Consent.connection(&scene, connector.as_ref()).await;
    let subscription = place.of(&scene, &mut connection).await;
    let grant = scene.grant(&mut connection).await;
    connected(&mut connection);
    let found = verify(connector.as_ref(), &connection).await;
    assert!(!found.refused);
    let (client, secret) = (scene.operator("client_id"), scene.operator("client_secret"));
    let makes = scene.as_client(&client, &secret).await;
    let reaper = &grant[&Identity::Reaper];
    let path = format!("/v1.0/applications/{}/addPassword", reaper.application);
    refused(&makes, "POST", &path, json!({})).await;
    there_are_two_keys(&scene, &connection, &grant, &subscription, makes).await;
}

/// The provisioner destroys and widens nothing, and the reaper makes nothing.
async fn there_are_two_keys(
    scene: &Scene,
    connection: &Connection,
    grant: &Grant,
    subscription: &str,
    makes: Caller<'_>,
) {
    let (provisioner, reaper) = (&grant[&Identity::Provisioner], &grant[&Identity::Reaper]);
    let destroys = scene.as_identity(connection, reaper).await;
    let subscription = format!("/subscriptions/{subscription}");

    // What it is for: a group, an account in it, a lock on that.
    let group = format!("{subscription}/resourceGroups/landfall-shop");
    let api = "api-version=2024-01-01";
    for namespace in ["Microsoft.Storage", "Microsoft.ManagedIdentity"] {
        let path = format!("{subscription}/providers/{namespace}/register?{api}");
        makes.must("POST", &path, json!({})).await;
    }
    makes
        .must(
            "PUT",
            &format!("{group}?{api}"),
            json!({"location": "westeurope"}),
        )
        .await;
    let account = format!("{group}/providers/Microsoft.Storage/storageAccounts/landfallshop");
    makes
        .must(
            "PUT",
            &format!("{account}?{api}"),
            json!({"location": "westeurope"}),
        )
        .await;
    let lock = format!("{account}/providers/Microsoft.Authorization/locks/landfall");
    let locked = json!({"properties": {"level": "CanNotDelete"}});
    makes.must("PUT", &format!("{lock}?{api}"), locked).await;
    let identity =
        format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/shop");
    makes
        .must(
            "PUT",
            &format!("{identity}?{api}"),
            json!({"location": "westeurope"}),
        )
        .await;

    for path in [&lock, &account, &group] {
        refused(&makes, "DELETE", &format!("{path}?{api}"), Value::Null).await;
    }
    refused(
        &makes,
        "POST",
        &format!("{account}/listKeys?{api}"),
        json!({}),
    )
    .await;

    // Roles for workloads, and nothing else for nobody else.
    let assign = |role: &str, principal: &str, kind: &str| {
        json!({"properties": {
            "roleDefinitionId": format!(
                "{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
            ),
            "principalId": principal, "principalType": kind,
        }})
    };
    let at = |scope: &str| {
        format!(
            "{scope}/providers/Microsoft.Authorization/roleAssignments/{}?{AUTHORIZATION}",
            guid()
        )
    };
    // A workload's service principal: the administrator's stands for one.
    let admin = scene.administrator().await;
    let workload = admin
        .must(
            "GET",
            &format!(
                "/v1.0/servicePrincipals(appId='{}')",
                scene.of_customer(0, "client_id")
            ),
            Value::Null,
        )
        .await;
    let workload = workload["id"].as_str().unwrap();
    let pull = at(&group);
    makes
        .must("PUT", &pull, assign(ACR_PULL, workload, "ServicePrincipal"))
        .await;
    let reapers = reaper.definition.rsplit('/').next().unwrap();
    let own = provisioner.definition.rsplit('/').next().unwrap();
    for (role, principal, kind) in [
        (OWNER, workload, "ServicePrincipal"),
        (reapers, workload, "ServicePrincipal"),
        (reapers, provisioner.principal.as_str(), "ServicePrincipal"),
        (own, provisioner.principal.as_str(), "ServicePrincipal"),
        // It could empty a bucket with that.
        (BLOB, provisioner.principal.as_str(), "ServicePrincipal"),
        (BLOB, reaper.principal.as_str(), "ServicePrincipal"),
        (ACR_PULL, workload, "User"),
    ] {
        let granted = connection.azure().unwrap().grant_scope();
        for scope in [&group, &subscription, &granted] {
            refused(&makes, "PUT", &at(scope), assign(role, principal, kind)).await;
        }
    }
    refused(
        &makes,
        "PUT",
        &at(&subscription),
        assign(OWNER, &provisioner.principal, "ServicePrincipal"),
    )
    .await;
    for made in [provisioner, reaper] {
        refused(
            &makes,
            "DELETE",
            &format!("{}?{AUTHORIZATION}", made.assignment),
            Value::Null,
        )
        .await;
        let path = format!("{}?{AUTHORIZATION}", made.definition);
        let role = makes.must("GET", &path, Value::Null).await;
        refused(&makes, "PUT", &path, role).await;
    }

    // The other key opens the other half.
    refused(
        &destroys,
        "PUT",
        &format!("{account}?{api}"),
        json!({"location": "westeurope"}),
    )
    .await;
    refused(
        &destroys,
        "PUT",
        &at(&group),
        assign(ACR_PULL, workload, "ServicePrincipal"),
    )
    .await;
    refused(
        &destroys,
        "DELETE",
        &format!("{}?{AUTHORIZATION}", provisioner.assignment),
        Value::Null,
    )
    .await;
    let (status, answer) = destroys
        .call("DELETE", &format!("{account}?{api}"), Value::Null)
        .await;
    assert_eq!(status, 409, "the lock holds: {answer}");
    for path in [&lock, &account] {
        destroys
            .must("DELETE", &format!("{path}?{api}"), Value::Null)
            .await;
    }
    destroys.must("DELETE", &pull, Value::Null).await;
}
