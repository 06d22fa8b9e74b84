//! Each wrong state gives its check and its remedy.

use crate::support::{
    change, check, connected,
    customer::{AUTHORIZATION, Grant, guid},
    scene::Scene,
    with,
};
use landfall_model::{
    check::Outcome,
    connection::Connection,
    connector::{Detection, Verification},
    grant::Identity,
};
use serde_json::{Value, json};

async fn granted() -> (Scene, Connection, Grant) {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    let grant = scene.grant(&mut connection).await;
    connected(&mut connection);
    (scene, connection, grant)
}

fn says(found: &Verification, id: &str, outcome: Outcome, evidence: &str, remedy: &str) {
    let check = check(found, id);
    assert_eq!(check.outcome, outcome, "{check:#?}");
    assert!(check.evidence.contains(evidence), "{evidence}: {check:#?}");
    assert!(check.remedy.contains(remedy), "{remedy}: {check:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_ids_are_named_one_by_one() {
    let (scene, connection, _) = granted().await;
    let wrong = |with: &dyn Fn(&mut landfall_model::connection::Azure)| {
        let mut wrong = connection.clone();
        change(&mut wrong, with);
        wrong
    };
    let random = guid();

    let found = scene
        .verify(&wrong(&|azure| azure.tenant_id = random.parse().unwrap()))
        .await;
    says(
        &found,
        "azure.tenant-found",
        Outcome::Fail,
        "AADSTS90002",
        "tenant id",
    );
    assert_eq!(with(&found, Outcome::Fail), ["azure.tenant-found"]);

    let found = scene
        .verify(&wrong(&|azure| {
            azure.access = landfall_model::connection::AzureAccess::WorkloadIdentity {
                client_id: Some(random.parse().unwrap()),
            };
        }))
        .await;
    says(
        &found,
        "azure.client-found",
        Outcome::Fail,
        "AADSTS700016",
        "client id",
    );
    assert_eq!(with(&found, Outcome::Fail), ["azure.client-found"]);

    let found = scene
        .verify(&wrong(&|azure| {
            azure.subscription_id = random.parse().unwrap()
        }))
        .await;
    says(
        &found,
        "azure.subscription-found",
        Outcome::Fail,
        "SubscriptionNotFound",
        "subscription id",
    );
    assert_eq!(with(&found, Outcome::Fail), ["azure.subscription-found"]);

    let others = scene.of_customer(1, "subscription_id");
    let found = scene
        .verify(&wrong(&|azure| {
            azure.subscription_id = others.parse().unwrap()
        }))
        .await;
    says(
        &found,
        "azure.tenant-matches",
        Outcome::Fail,
        &scene.of_customer(1, "id"),
        "another tenant",
    );
    assert!(found.refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_refused() {
    let (scene, connection, grant) = granted().await;
    let admin = scene.administrator().await;
    let (provisioner, reaper) = (&grant[&Identity::Provisioner], &grant[&Identity::Reaper]);

    let reapers = format!("/v1.0/applications/{}", reaper.application);
    admin.must("DELETE", &reapers, Value::Null).await;
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Partial {
            missing: Identity::Reaper
        }
    );
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.token-accepted.reaper",
        Outcome::Fail,
        "AADSTS700016",
        "script",
    );
    assert!(!found.refused);

    let role = format!("{}?{AUTHORIZATION}", reaper.assignment);
    admin.must("DELETE", &role, Value::Null).await;
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.reaper-known",
        Outcome::Fail,
        "no assignment",
        "script again",
    );

    let role = format!("{}?{AUTHORIZATION}", provisioner.assignment);
    admin.must("DELETE", &role, Value::Null).await;
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.role-assigned.provisioner",
        Outcome::Fail,
        "AuthorizationFailed",
        "landfall-provisioner-",
    );
    assert!(found.refused, "nothing works any more");
    let found = scene.connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_cannot_be_used_is_named() {
    let (scene, mut connection, _) = granted().await;
    let subscription = json!({"id": scene.subscription, "enabled": false});
    scene.admin("azure/subscriptions", &subscription).await;
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.subscription-enabled",
        Outcome::Fail,
        "Disabled",
        "owner enables it",
    );
    let subscription = json!({"id": scene.subscription, "enabled": true, "quota": {"cores": 2}});
    scene.admin("azure/subscriptions", &subscription).await;
    connection.regions.push("marseast".to_owned());
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.regions-exist",
        Outcome::Fail,
        "marseast",
        "list-locations",
    );
    connection.regions.pop();
    // Registered by the first run that could.
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.quota-vcpus",
        Outcome::Warn,
        "2 left",
        "Usage + quotas",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_deny_are_named() {
    let (scene, connection, _) = granted().await;
    let admin = scene.administrator().await;
    let base = format!(
        "/subscriptions/{}/providers/Microsoft.Authorization",
        scene.subscription
    );
    let api = "api-version=2023-04-01";
    let definition = format!("{base}/policyDefinitions/no-public");
    admin
        .must(
            "PUT",
            &format!("{definition}?{api}"),
            json!({"properties": {
                "parameters": {"effect": {"defaultValue": "Deny"}},
                "policyRule": {
                    "if": {"field": "type", "equals": "Microsoft.Network/publicIPAddresses"},
                    "then": {"effect": "[parameters('effect')]"},
                },
            }}),
        )
        .await;
    let assign = async |name: &str, properties: Value| {
        let path = format!("{base}/policyAssignments/{name}?{api}");
        admin
            .must("PUT", &path, json!({ "properties": properties }))
            .await;
    };
    assign(
        "deny",
        json!({"displayName": "No public addresses", "policyDefinitionId": definition}),
    )
    .await;
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.policies-allow",
        Outcome::Warn,
        "No public addresses",
        "exempt",
    );

    let audited = json!({"displayName": "No public addresses", "policyDefinitionId": definition,
        "parameters": {"effect": {"value": "Audit"}}});
    assign("deny", audited).await;
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.policies-allow",
        Outcome::Pass,
        "none denies",
        "",
    );

    let built_in = "/providers/Microsoft.Authorization/policyDefinitions/\
                    e56962a6-4747-49cd-b67b-bf8b01975c4c";
    assign(
        "locations",
        json!({"displayName": "Only Germany", "policyDefinitionId": built_in, "parameters":
            {"listOfAllowedLocations": {"value": ["germanywestcentral"]}}}),
    )
    .await;
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.policies-allow",
        Outcome::Fail,
        "westeurope",
        "allowed region",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_was_edited_is_found() {
    let (scene, mut connection, grant) = granted().await;
    let provisioner = &grant[&Identity::Provisioner];
    connection.grant_digest = scene.verify(&connection).await.grant_digest;
    scene
        .edit(provisioner, |role| {
            let actions = role["permissions"][0]["actions"].as_array_mut().unwrap();
            actions.retain(|action| action != "Microsoft.KeyVault/vaults/write");
            actions.push(json!("Microsoft.Authorization/locks/delete"));
        })
        .await;
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.permissions.secrets",
        Outcome::Fail,
        "Microsoft.KeyVault/vaults/write",
        "script again",
    );
    says(
        &found,
        "azure.refused.locks",
        Outcome::Warn,
        "Microsoft.Authorization/locks/delete",
        "enough",
    );
    says(
        &found,
        "azure.two-keys",
        Outcome::Warn,
        "two keys: no. The provisioner can destroy by itself, by landfall-provisioner-",
        "enough",
    );
    says(
        &found,
        "azure.grant-as-specified",
        Outcome::Warn,
        "also allows Microsoft.Authorization/locks/delete",
        "undo",
    );
    says(
        &found,
        "azure.grant-unchanged",
        Outcome::Warn,
        "became",
        "activity log",
    );
    // And of another version.
    scene
        .edit(provisioner, |role| {
            role["description"] = json!("by hand");
        })
        .await;
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.grant-version",
        Outcome::Warn,
        "version",
        "script",
    );
    assert_eq!(found.grant_version, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_without_its_condition_is_found() {
    let (scene, connection, grant) = granted().await;
    let provisioner = &grant[&Identity::Provisioner];
    let admin = scene.administrator().await;
    let path = format!("{}?{AUTHORIZATION}", provisioner.assignment);
    let mut assignment = admin.must("GET", &path, Value::Null).await;
    assignment["properties"]["condition"] = Value::Null;
    assignment["properties"]["conditionVersion"] = Value::Null;
    admin.must("PUT", &path, assignment).await;
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.assignments-limited",
        Outcome::Warn,
        "Owner and the reaper's",
        "script",
    );
    says(&found, "azure.two-keys", Outcome::Warn, "two keys: no", "");
    says(
        &found,
        "azure.grant-as-specified",
        Outcome::Warn,
        "condition of landfall-provisioner",
        "",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broad_role_works_and_costs_the_second_key() {
    let (scene, connection, grant) = granted().await;
    scene.also(&grant[&Identity::Provisioner], "Owner").await;
    let found = scene.verify(&connection).await;
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
    says(
        &found,
        "azure.two-keys",
        Outcome::Warn,
        "Owner",
        "remove every other role",
    );
    assert!(
        check(&found, "azure.two-keys")
            .evidence
            .contains("two keys: no")
    );
    for id in ["locks", "destruction", "keys", "widening"] {
        says(
            &found,
            &format!("azure.refused.{id}"),
            Outcome::Warn,
            "allowed",
            "",
        );
    }
    says(
        &found,
        "azure.grant-as-specified",
        Outcome::Warn,
        "the provisioner also has Owner",
        "",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_we_may_not_register_is_a_command_for_the_customer() {
    let (scene, connection, grant) = granted().await;
    scene
        .edit(&grant[&Identity::Provisioner], |role| {
            let actions = role["permissions"][0]["actions"].as_array_mut().unwrap();
            actions.retain(|action| !action.as_str().unwrap().ends_with("/register/action"));
        })
        .await;
    let found = scene.verify(&connection).await;
    says(
        &found,
        "azure.provider-registered.microsoft.app",
        Outcome::Fail,
        "Microsoft.App/register/action",
        "az provider register --namespace Microsoft.App",
    );
    says(
        &found,
        "azure.quota-vcpus",
        Outcome::Skipped,
        "Microsoft.Compute",
        "",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_reaper_there_is_one_key_and_landfall_has_it() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    connection.with_reaper = false;
    let grant = scene.grant(&mut connection).await;
    assert!(!grant.contains_key(&Identity::Reaper));
    connected(&mut connection);
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Granted
    );
    let found = scene.verify(&connection).await;
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
    assert_eq!(with(&found, Outcome::Warn), [""; 0]);
    says(&found, "azure.two-keys", Outcome::Pass, "by hand", "");
    says(
        &found,
        "azure.reaper-known",
        Outcome::Skipped,
        "left out",
        "",
    );
}
