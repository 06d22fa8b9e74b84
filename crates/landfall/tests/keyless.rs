//! AWS by `oidc`, all the way through the real binary: connecting without any
//! key, moving from `assume-role` without an outage, and being refused.

mod harness;

use harness::{
    api::text,
    cloud::Cloud,
    customer, journey,
    scene::{Scene, status},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, io::Write as _, path::Path, path::PathBuf, process::Command};

fn outcomes(checks: &[Value]) -> Vec<(&str, &str)> {
    checks
        .iter()
        .map(|check| (text(check, "id").unwrap(), text(check, "outcome").unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_connected_without_any_key() {
    let scene = Scene::new().await;
    let account = scene.cloud.customer().unwrap();
    let body = json!({ "name": "keyless", "account_id": account, "method": "oidc" });
    let created = scene.api.post("/connections", body).await.unwrap();
    assert_eq!(created["connection"]["method"], "oidc");
    let link = text(&created["grant"]["ways"][0], "url").unwrap();
    customer::aws::create_stack(link, &account).await.unwrap();
    let id = text(&created["connection"], "id").unwrap().to_owned();
    let connected = scene
        .connection(&id, |one| !matches!(status(one), "pending" | "propagating"))
        .await;
    let checks = scene.checks(&id).await;
    assert_eq!(status(&connected), "connected", "{checks:#?}");
    for (id, outcome) in outcomes(&checks) {
        assert_eq!(outcome, "pass", "{id}");
    }
    let distinct: BTreeSet<_> = outcomes(&checks).into_iter().map(|(id, _)| id).collect();
    assert!(distinct.len() >= 12, "{distinct:?}");
    for wanted in ["accepted", "subject", "audience", "expir", "sign"] {
        let found = distinct.iter().any(|id| id.contains(wanted));
        assert!(found, "no check about '{wanted}' in {distinct:?}");
    }
    // Nothing that could be stolen is stored for it.
    let mut database = Vec::new();
    for file in ["landfall.db", "landfall.db-wal"] {
        let path = scene.folder.path().join("data").join(file);
        database.extend(std::fs::read(path).unwrap_or_default());
    }
    let stored = String::from_utf8_lossy(&database);
    assert!(stored.contains(&id), "the connection is in the database");
    assert!(!stored.contains("gcp-service-account-key"));
    assert!(!stored.contains("azure-client-secret"));

    // A second one of the same account shares the provider, which the link says.
    let other = json!({ "name": "again", "account_id": account, "method": "oidc" });
    let refused = scene.api.post("/connections", other).await.unwrap_err();
    assert_eq!(refused.code().as_deref(), Some("connection-duplicate"));
}

/// The AWS CLI of the tests' Python environment.
fn folder_of_aws() -> Option<PathBuf> {
    let folder = std::env::var_os("LANDFALL_TEST_PYTHON")
        .map(PathBuf::from)
        .and_then(|python| Some(python.parent()?.to_owned()))
        .filter(|folder| folder.join("aws").exists());
    if folder.is_none() {
        assert!(
            std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
            "the AWS CLI is not installed"
        );
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: LANDFALL_TEST_PYTHON names no Python with the AWS CLI beside it"
        );
    }
    folder
}

async fn run(folder: &Path, cloud: &Cloud, commands: &str) {
    let customer = cloud.account("customer").unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command
        .args(["-c", commands])
        .env("PATH", path)
        .env("AWS_ENDPOINT_URL", cloud.endpoint())
        .env(
            "AWS_ACCESS_KEY_ID",
            text(customer, "access_key_id").unwrap(),
        )
        .env(
            "AWS_SECRET_ACCESS_KEY",
            text(customer, "secret_access_key").unwrap(),
        )
        .env("AWS_DEFAULT_REGION", journey::REGION)
        .env_remove("AWS_SESSION_TOKEN")
        .env_remove("AWS_PROFILE");
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

fn commands(grant: &Value) -> &str {
    let ways = grant["ways"].as_array().unwrap();
    let way = ways
        .iter()
        .find(|way| way["id"] == "cloudformation")
        .unwrap();
    text(way, "commands").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_moves_to_keyless_and_back_and_is_never_without_a_way_in() {
    let Some(aws) = folder_of_aws() else { return };
    let scene = Scene::new().await;
    let id = journey::connect(&scene.api, &scene.cloud).await.unwrap();
    let path = format!("/connections/{id}");
    let migration = format!("{path}/migration");

    let same = json!({ "method": "assume-role" });
    let refused = scene.api.post(&migration, same).await.unwrap_err();
    assert_eq!(refused.code().as_deref(), Some("connection-state"));
    let foreign = json!({ "method": "client-secret" });
    let refused = scene.api.post(&migration, foreign).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("connection-method-unavailable"),
        "{refused}"
    );

    for (from, to) in [("assume-role", "oidc"), ("oidc", "assume-role")] {
        let body = json!({ "method": to });
        let moving = scene.api.post(&migration, body).await.unwrap();
        assert_eq!(moving["connection"]["method"], from);
        assert_eq!(moving["connection"]["migration"]["method"], to);
        // Nothing is granted yet, so nothing moves and nothing is broken.
        let looked = scene
            .connection(&id, |one| one["migration"]["waits_for"].is_string())
            .await;
        assert_eq!(looked["method"], from);
        let run_now = scene
            .api
            .post(&format!("{path}/verify"), json!({}))
            .await
            .unwrap();
        let failed: Vec<_> = run_now["checks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|check| check["outcome"] == "fail")
            .collect();
        assert!(failed.is_empty(), "{failed:#?}");

        run(&aws, &scene.cloud, commands(&moving["grant"])).await;
        let moved = scene
            .connection(&id, |one| one["method"] == to && one["migration"].is_null())
            .await;
        assert_eq!(status(&moved), "connected");
        assert_eq!(moved["external_id"], moving["connection"]["external_id"]);

        // The old way is still open in the account: that is said until it is
        // closed with the commands as they are now.
        let found = scene
            .api
            .post(&format!("{path}/verify"), json!({}))
            .await
            .unwrap();
        let checks = found["checks"].as_array().unwrap();
        let specified = outcomes(checks)
            .into_iter()
            .find(|(id, _)| *id == "aws.grant-as-specified");
        assert_eq!(specified, Some(("aws.grant-as-specified", "warn")));
        let now = scene.api.get(&format!("{path}/grant")).await.unwrap();
        run(&aws, &scene.cloud, commands(&now)).await;
        let closed = scene
            .api
            .post(&format!("{path}/verify"), json!({}))
            .await
            .unwrap();
        for (id, outcome) in outcomes(closed["checks"].as_array().unwrap()) {
            assert_eq!(outcome, "pass", "{id} after moving to {to}");
        }
    }

    // A move that is called off leaves everything as it was.
    let body = json!({ "method": "oidc" });
    scene.api.post(&migration, body).await.unwrap();
    let stayed = scene.api.delete(&migration).await.unwrap();
    assert_eq!(stayed["method"], "assume-role");
    assert!(stayed["migration"].is_null());
    let refused = scene.api.delete(&migration).await.unwrap_err();
    assert_eq!(refused.code().as_deref(), Some("connection-state"));
}
