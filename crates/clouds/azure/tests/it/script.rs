//! The script of the guide, run: with a stand-in for the Azure CLI, and with
//! the real one where it is installed.

use crate::support::{
    TestClock, change, check, connected,
    scene::{Scene, URL, verify},
    shell::{Az, Shell, both, printed, script},
    with,
};
use landfall_model::{
    Clock as _, Timestamp, check::Outcome, connection::AzureAccess, connector::Detection,
};
use serde_json::Value;
use std::path::Path;

/// From the script to a connection that verifies, twice.
async fn connects(az: &Az) {
    let scene = Scene::new().await;
    let shell = Shell::open(&scene, az);
    let mut connection = scene.connection();
    let script = script(scene.connector.as_ref(), &connection).await;
    let output = shell.run(&script, &[]);
    assert!(output.status.success(), "{}", both(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed(&text, "Subscription id:"), scene.subscription);
    assert_eq!(printed(&text, "Tenant id:"), scene.tenant);
    let client = printed(&text, "Client id:").to_owned();
    change(&mut connection, |azure| {
        azure.access = AzureAccess::WorkloadIdentity {
            client_id: Some(client.parse().unwrap()),
        };
    });
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Granted
    );
    connected(&mut connection);
    let found = scene.verify(&connection).await;
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
    assert_eq!(with(&found, Outcome::Warn), [""; 0]);
    assert_eq!(found.grant_version, Some(1));

    // Again, after somebody edited the role: it is brought back.
    connection.grant_digest = found.grant_digest;
    let seen = scene.administrator().await;
    let path = format!(
        "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01\
         &$filter=type%20eq%20'CustomRole'",
        scene.subscription
    );
    let mut roles = seen.must("GET", &path, Value::Null).await;
    let role = &mut roles["value"][0];
    role["properties"]["permissions"][0]["actions"] = serde_json::json!(["*"]);
    let id = role["id"].as_str().unwrap().to_owned();
    let path = format!("{id}?api-version=2022-04-01");
    seen.must("PUT", &path, role.clone()).await;
    let output = shell.run(&script, &[]);
    assert!(output.status.success(), "{}", both(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed(&text, "Client id:"), client);
    let found = scene.verify(&connection).await;
    let unchanged = check(&found, "azure.grant-unchanged");
    assert!(unchanged.evidence.starts_with("still"), "{unchanged:?}");
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_connects() {
    let Some(az) = Az::stand_in() else { return };
    connects(&az).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_connects_with_the_real_azure_cli() {
    let Some(az) = Az::real() else { return };
    connects(&az).await;
}

async fn by_secret(az: &Az) {
    let scene = Scene::new().await;
    let shell = Shell::open(&scene, az);
    let connector = scene.by_secret(true);
    let mut connection = scene.connection();
    change(&mut connection, |azure| {
        azure.access = AzureAccess::ClientSecret {
            client_id: None,
            secret_id: None,
            secret_key_id: None,
            secret_expires_at: None,
        };
    });
    let script = script(connector.as_ref(), &connection).await;
    // First as somebody who leaves the permission out; then again, with it.
    for rotation in ["no", "yes"] {
        let output = shell.run_with(&script, &[], &[("LANDFALL_ROTATION", rotation)]);
        assert!(output.status.success(), "{}", both(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let given = printed(&text, "Client secret:");
        assert_eq!(landfall_model::secret::check_client_secret(given), Ok(()));
        let expires = Timestamp::parse_rfc3339(printed(&text, "Expires:")).unwrap();
        let days = expires.millis_since(TestClock.now()) / (24 * 60 * 60 * 1_000);
        assert!((360..=731).contains(&days), "{days}");
        let secret_id = scene.kept.put(&connection.organization_id, given);
        change(&mut connection, |azure| {
            azure.access = AzureAccess::ClientSecret {
                client_id: Some(printed(&text, "Client id:").parse().unwrap()),
                secret_id: Some(secret_id),
                secret_key_id: None,
                secret_expires_at: None,
            };
        });
        assert_eq!(connector.detect(&connection).await, Detection::Granted);
        connected(&mut connection);
        let found = verify(connector.as_ref(), &connection).await;
        assert_eq!(with(&found, Outcome::Fail), [""; 0]);
        assert_eq!(found.can_rotate, rotation == "yes");
        let rotates = check(&found, "azure.secret-rotates");
        if rotation == "yes" {
            assert_eq!(with(&found, Outcome::Warn), [""; 0]);
            assert_eq!(rotates.outcome, Outcome::Pass, "{rotates:?}");
            let secret = found.secret.unwrap();
            assert_eq!(secret.name.as_deref(), Some("landfall"));
        } else {
            // Nobody said when the secret expires, and Graph is not ours to read.
            assert_eq!(with(&found, Outcome::Warn), ["azure.secret-expiry"]);
            assert_eq!(rotates.outcome, Outcome::Skipped, "{rotates:?}");
        }
    }
    // Each run adds a secret, and nothing else.
    let all = connector.secrets(&connection).await.unwrap();
    assert_eq!(all.len(), 2);
    // And the move to workload-identity is the same application, with its
    // secret until somebody removes it.
    let keyless = scene.connector.as_ref();
    let mut moved = connection.clone();
    moved.left_behind = Some(connection.target.clone());
    change(&mut moved, |azure| {
        azure.access = AzureAccess::WorkloadIdentity { client_id: None };
    });
    let script = crate::support::shell::script(keyless, &moved).await;
    let output = shell.run(&script, &[]);
    assert!(!output.status.success());
    assert!(
        both(&output).contains("LANDFALL_REUSE=yes"),
        "{}",
        both(&output)
    );
    let output = shell.run_with(&script, &[], &[("LANDFALL_REUSE", "yes")]);
    assert!(output.status.success(), "{}", both(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let client = printed(&text, "Client id:").parse().unwrap();
    change(&mut moved, |azure| {
        azure.access = AzureAccess::WorkloadIdentity {
            client_id: Some(client),
        };
    });
    let found = verify(keyless, &moved).await;
    assert_eq!(with(&found, Outcome::Warn), ["azure.old-secret-removed"]);
    assert_eq!(with(&found, Outcome::Fail), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_connects_by_secret() {
    let Some(az) = Az::stand_in() else { return };
    by_secret(&az).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_connects_by_secret_with_the_real_azure_cli() {
    let Some(az) = Az::real() else { return };
    by_secret(&az).await;
}

async fn by_consent(az: &Az) {
    let scene = Scene::new().await;
    let shell = Shell::open(&scene, az);
    let connector = scene.by_consent(scene.with_application());
    let mut connection = crate::consent::prepared(&scene, connector.as_ref()).await;
    let script = script(connector.as_ref(), &connection).await;
    let output = shell.run(&script, &[]);
    assert!(!output.status.success(), "{}", both(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("was not approved"), "{said}");
    assert!(said.contains("Approve on Microsoft's page"), "{said}");

    crate::consent::approved(&scene, connector.as_ref(), &connection).await;
    // Twice with the real one, which takes its time.
    for _ in 0..=usize::from(shell.real) {
        let output = shell.run(&script, &[]);
        assert!(output.status.success(), "{}", both(&output));
        assert!(both(&output).contains("nothing is to be entered"));
        assert_eq!(connector.detect(&connection).await, Detection::Granted);
        connected(&mut connection);
        let found = verify(connector.as_ref(), &connection).await;
        assert_eq!(with(&found, Outcome::Fail), [""; 0]);
        assert_eq!(with(&found, Outcome::Warn), [""; 0]);
    }
    // The same tenant, subscription and application once more: each connection
    // has an assignment of its own.
    let second = crate::consent::prepared(&scene, connector.as_ref()).await;
    let output = shell.run(
        &crate::support::shell::script(connector.as_ref(), &second).await,
        &[],
    );
    assert!(output.status.success(), "{}", both(&output));
    assert_eq!(connector.detect(&second).await, Detection::Granted);
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_connects_by_consent() {
    let Some(az) = Az::stand_in() else { return };
    by_consent(&az).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_connects_by_consent_with_the_real_azure_cli() {
    let Some(az) = Az::real() else { return };
    by_consent(&az).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_explains_what_stops_it() {
    let Some(az) = Az::stand_in() else { return };
    let scene = Scene::new().await;
    let shell = Shell::open(&scene, &az);
    let connection = scene.connection();
    let script = script(scene.connector.as_ref(), &connection).await;
    let stopped = |arguments: &[&str], says: &str| {
        let output = shell.run(&script, arguments);
        assert!(!output.status.success(), "{}", both(&output));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(says), "{says}:\n{said}");
    };
    let subject = connection.subject();
    // What is no subject, issuer or subscription never reaches a command.
    stopped(&["'; touch /tmp/landfall-pwned; '"], "the subject");
    stopped(&[&subject, "https://x\"y"], "the issuer");
    stopped(
        &[&subject, URL, "$(touch /tmp/landfall-pwned)"],
        "the subscription id",
    );
    assert!(!Path::new("/tmp/landfall-pwned").exists());
    // Somebody else's subscription.
    let others = scene.of_customer(1, "subscription_id");
    stopped(&[&subject, URL, &others], "is not visible to you");

    // An application with our name that somebody else made.
    let admin = scene.administrator().await;
    let name = connection.azure().unwrap().display_name("provisioner");
    let squatted = admin
        .must(
            "POST",
            "/v1.0/applications",
            serde_json::json!({ "displayName": name }),
        )
        .await;
    let path = format!(
        "/v1.0/applications/{}/addPassword",
        squatted["id"].as_str().unwrap()
    );
    admin.must("POST", &path, serde_json::json!({})).await;
    stopped(&[], "has a client secret, which this script did not make");
    let path = format!("/v1.0/applications/{}", squatted["id"].as_str().unwrap());
    admin.must("DELETE", &path, Value::Null).await;

    // Without the right to make roles.
    let principal = format!(
        "/v1.0/servicePrincipals(appId='{}')",
        scene.of_customer(0, "client_id")
    );
    let principal = admin.must("GET", &principal, Value::Null).await;
    let scope = format!("/subscriptions/{}", scene.subscription);
    for (role, delete) in [("Contributor", false), ("Owner", true)] {
        let body = serde_json::json!({
            "scope": scope, "principal_id": principal["id"], "role": role, "delete": delete,
        });
        scene.admin("azure/role-assignments", &body).await;
    }
    stopped(&[], "You need Owner, or User Access Administrator");
    // With that alone, what is missing is another right.
    for (role, delete) in [("User Access Administrator", false), ("Contributor", true)] {
        let body = serde_json::json!({
            "scope": scope, "principal_id": principal["id"], "role": role, "delete": delete,
        });
        scene.admin("azure/role-assignments", &body).await;
    }
    stopped(&[], &format!("You need Contributor on {scope}:"));
}
