//! Two keys, tried: what the provisioner's own role refuses, and what the
//! reaper's allows.

use crate::support::{
    connected,
    customer::{AUTHORIZATION, Caller, guid},
    scene::Scene,
};
use landfall_model::grant::Identity;
use serde_json::{Value, json};

const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";
const ACR_PULL: &str = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
const BLOB: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";

async fn refused(caller: &Caller<'_>, method: &str, path: &str, body: Value) {
    let (status, answer) = caller.call(method, path, body).await;
    assert_eq!(status, 403, "{method} {path}: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provisioner_destroys_and_widens_nothing_and_the_reaper_makes_nothing() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    let grant = scene.grant(&mut connection).await;
    connected(&mut connection);
    let found = scene.verify(&connection).await;
    assert!(!found.refused);
    let (provisioner, reaper) = (&grant[&Identity::Provisioner], &grant[&Identity::Reaper]);
    let makes = scene.as_identity(&connection, provisioner).await;
    let destroys = scene.as_identity(&connection, reaper).await;
    let subscription = format!("/subscriptions/{}", scene.subscription);

    // What it is for: a group, an account in it, a lock on that.
    let group = format!("{subscription}/resourceGroups/landfall-shop");
    let api = "api-version=2024-01-01";
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
        refused(&makes, "PUT", &at(&group), assign(role, principal, kind)).await;
    }
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
