use crate::{
    check, connected, connected_as, customers,
    harness::{
        PATIENCE,
        api::text,
        customer::{Customer as _, azure, gcp},
        process::{Process, landfall},
        scene::{Scene, asked, status},
    },
    new,
};
use landfall_model::Timestamp;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tokio::process::Command;

/// The command line of the first organization's administrator.
fn cli(scene: &Scene, args: &[&str]) -> Command {
    let mut command = for_people(scene, args);
    command.args(["--output", "json"]);
    command
}

fn for_people(scene: &Scene, args: &[&str]) -> Command {
    let mut command = landfall();
    command
        .args(["--server", &scene.server.url, "--token-file"])
        .arg(scene.token_file())
        .args(args);
    command
}

async fn run(scene: &Scene, args: &[&str]) -> Value {
    let output = cli(scene, args).output().await.unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {log}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What is above the customer's project or subscription, where the customer may
/// grant: by the fields of a new connection.
async fn above(scene: &Scene, cloud: &str) -> Value {
    let of = |list: &Value| {
        let customers = list.as_array().unwrap().iter();
        let mut customers = customers.filter(|one| one["role"] == "customer");
        customers.next().unwrap().clone()
    };
    if cloud == "gcp" {
        let project = of(&scene.cloud.ready["gcp"]["projects"]);
        let of = |field: &str| text(&project, field).unwrap();
        return json!({ "parent": format!("{}/{}", of("organization"), of("folder")) });
    }
    let tenant = of(&scene.cloud.ready["azure"]["tenants"]);
    // The group above all has the id of the tenant.
    let group = text(&tenant, "id").unwrap();
    let principal = text(&tenant, "principal_id").unwrap();
    let scope = format!("/providers/Microsoft.Management/managementGroups/{group}");
    let owner = json!({ "scope": scope, "principal_id": principal, "role": "Owner" });
    let path = "azure/role-assignments";
    scene.cloud.post(path, owner).await.unwrap();
    json!({ "management_group": group, "breadth": "broad" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_and_a_management_group_are_connected() {
    let scene = Scene::new().await;
    for (cloud, customer) in customers(&scene, 0) {
        let mut body = new(cloud, customer.as_ref()).await;
        let fields = above(&scene, cloud).await;
        let wanted = fields.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(wanted.clone());
        let made = connected_as(&scene, body, customer.as_ref()).await;
        let shown = scene.api.get(&made.path()).await.unwrap();
        for (field, value) in &wanted {
            assert_eq!(shown[field], *value, "{shown}");
        }
        let checks = scene.checks(&made.id).await;
        let seen = match cloud {
            "gcp" => "gcp.organization-visible",
            _ => "azure.management-group-above",
        };
        assert_eq!(check(&checks, seen)["outcome"], "pass");
        // Azure's was asked for with the broad role.
        let is_broad = shown["too_broad"] == true;
        assert_eq!(is_broad, cloud == "azure", "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_and_a_subscription_are_connected_and_given_back() {
    let scene = Scene::new().await;
    for (cloud, customer) in customers(&scene, 0) {
        let made = connected(&scene, cloud, customer.as_ref()).await;
        let checks = scene.checks(&made.id).await;
        let distinct: BTreeSet<&str> = checks.iter().map(|one| text(one, "id").unwrap()).collect();
        assert!(distinct.len() >= 12, "{distinct:?}");
        for one in &checks {
            assert!(text(one, "id").unwrap().starts_with(cloud), "{one}");
            let outcome = text(one, "outcome").unwrap();
            assert!(["pass", "warn", "skipped"].contains(&outcome), "{one}");
        }
        assert_stores_no_secret(&scene, &made.id);

        // Its regions are those of the cloud, and one of them can be chosen.
        let regions = scene
            .api
            .items(&format!("{}/regions", made.path()))
            .await
            .unwrap();
        let region = text(&regions[0], "name").unwrap();
        let chosen = json!({ "default_region": region });
        let changed = scene.api.patch(&made.path(), chosen).await.unwrap();
        assert_eq!(changed["default_region"], region);

        customer.revoke(&made.asked).await.unwrap();
        let verify = format!("{}/verify", made.path());
        let run = scene.api.post(&verify, json!({})).await.unwrap();
        let refused = run["checks"].as_array().unwrap();
        let failed = refused.iter().find(|one| one["outcome"] == "fail");
        let failed = failed.expect("something failed");
        assert!(!text(failed, "remedy").unwrap().is_empty(), "{failed}");
        let now = scene.api.get(&made.path()).await.unwrap();
        assert_eq!(status(&now), "revoked", "{refused:#?}");
        let disconnect = format!("{}/disconnect", made.path());
        let ended = scene.api.post(&disconnect, json!({})).await.unwrap();
        assert_eq!(ended["remaining"], json!([]));
    }
    let verified = scene.api.get("/audit/verify").await.unwrap();
    assert!(verified["entries"].as_u64().unwrap() > 10);
}

/// Nothing that could be stolen is kept for a keyless connection.
fn assert_stores_no_secret(scene: &Scene, id: &str) {
    let mut database = Vec::new();
    for file in ["landfall.db", "landfall.db-wal"] {
        let path = scene.folder.path().join("data").join(file);
        database.extend(std::fs::read(path).unwrap_or_default());
    }
    let stored = String::from_utf8_lossy(&database);
    assert!(stored.contains(id), "the connection is in the database");
    for secret in ["gcp-service-account-key", "azure-client-secret"] {
        assert!(!stored.contains(secret), "a record {secret} is kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_waits_for_a_project() {
    let scene = Scene::new().await;
    let owner = gcp::Owner::of(&scene.cloud.ready, 0).unwrap();
    let (project, number) = (owner.project.clone(), owner.number.clone());
    let args = [
        "connect",
        "gcp",
        "--project",
        &project,
        "--project-number",
        &number,
        "--name",
        "google",
    ];
    let mut waiting = Process::start(cli(&scene, &args), scene.folder.path(), "connect").unwrap();
    let script = waiting
        .says(PATIENCE, |_, log| log.contains("gcloud").then_some(()))
        .await
        .unwrap();
    assert!(script.is_some(), "it ended: {}", waiting.log().unwrap());

    let all = scene.api.items("/connections").await.unwrap();
    let connection = all.iter().find(|one| one["name"] == "google").unwrap();
    let id = text(connection, "id").unwrap();
    let grant = scene
        .api
        .get(&format!("/connections/{id}/grant"))
        .await
        .unwrap();
    let asked = asked(&json!({ "connection": connection, "grant": grant }));
    gcp::Federation(owner).grant(&asked).await.unwrap();

    let status = waiting.wait(PATIENCE).await.unwrap();
    assert!(status.success(), "{}", waiting.log().unwrap());
    let shown: Value = serde_json::from_str(&waiting.output().unwrap()).unwrap();
    assert_eq!(shown["connection"]["state"]["status"], "connected");
    let checks = shown["checks"]["checks"].as_array().unwrap();
    assert_eq!(check(checks, "gcp.token-accepted")["outcome"], "pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_is_told_the_application_of_a_subscription() {
    let scene = Scene::new().await;
    let administrator = azure::Administrator::of(&scene.cloud.ready, 0).unwrap();
    let (tenant, subscription) = (
        administrator.tenant.clone(),
        administrator.subscription.clone(),
    );
    let created = run(
        &scene,
        &[
            "connect",
            "azure",
            "--tenant",
            &tenant,
            "--subscription",
            &subscription,
            "--name",
            "azure",
        ],
    )
    .await;
    let customer = azure::Federation(administrator);
    let asked = asked(&created);
    let entered = customer.grant(&asked).await.unwrap().expect("it prints");
    let client = text(&entered, "client_id").unwrap();
    let update = ["connections", "update", "azure", "--client-id", client];
    assert_eq!(run(&scene, &update).await["client_id"], client);
    let id = text(&created["connection"], "id").unwrap();
    let settled = scene.settled(id).await;
    assert_eq!(status(&settled), "connected");

    let found = run(&scene, &["connections", "verify", "azure"]).await;
    let checks = found["checks"].as_array().unwrap();
    assert_eq!(check(checks, "azure.client-found")["outcome"], "pass");

    // Taken back: the command says so by how it ends, too.
    customer.revoke(&asked).await.unwrap();
    let output = cli(&scene, &["connections", "verify", "azure"])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(6));
    let shown = run(&scene, &["connections", "show", "azure"]).await;
    assert_eq!(shown["connection"]["state"]["status"], "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_that_a_secret_ends() {
    let scene = Scene::new().await;
    let by_secret = async |name: &str, ends: &str| {
        let number = ends.replace('-', "");
        let body = json!({
            "name": name, "cloud": "azure", "method": "client-secret",
            "tenant_id": "11111111-1111-4111-8111-111111111111",
            "subscription_id": format!("22222222-2222-4222-8222-{number:0>12}"),
            "client_id": "33333333-3333-4333-8333-333333333333",
            "client_secret": format!("ends8Q~{number}5d41402abc4b2a76b9719d911017c592"),
            "secret_expires_at": ends,
        });
        scene.api.post("/connections", body).await.unwrap()
    };
    let made = by_secret("later", "2199-05-01").await;
    let now = text(&made["connection"], "created_at").unwrap();
    let now = Timestamp::parse_rfc3339(now).unwrap();
    let soon = now.plus(Duration::from_secs(12 * 24 * 3600)).to_rfc3339()[..10].to_owned();
    by_secret("soon", &soon).await;

    let listed = run(&scene, &["connections", "list"]).await;
    let named = |name: &str| {
        let mut items = listed.as_array().unwrap().iter();
        items.find(|one| one["name"] == name).unwrap()["expiry"].clone()
    };
    assert_eq!(named("soon")["warning_days"], 14);
    assert_eq!(named("later")["warning_days"], Value::Null);
    let shown = run(&scene, &["connections", "show", "soon"]).await;
    let left = &shown["connection"]["expiry"]["days_left"];
    assert_eq!(*left, named("soon")["days_left"]);

    let said = async |args: &[&str]| {
        let output = for_people(&scene, args).output().await.unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let list = said(&["connections", "list"]).await;
    let soon = format!("{soon}, in {left} days");
    assert!(list.contains(&soon), "no '{soon}' in:\n{list}");
    let later = list.lines().find(|line| line.starts_with("later"));
    let later = later.unwrap_or_else(|| panic!("{list}"));
    assert!(
        later.contains("2199-05-01") && !later.contains("days"),
        "{later}"
    );
    let show = said(&["connections", "show", "soon"]).await;
    for wanted in [
        &*soon,
        "landfall connections rotate 'soon' --client-secret-file -",
    ] {
        assert!(show.contains(wanted), "no '{wanted}' in:\n{show}");
    }
}
