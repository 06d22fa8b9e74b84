//! The journey of a customer, over HTTP, with the worker beside it.

use crate::{
    client::{delete, get, patch, post, put_score},
    common::{self, Swift, check, eventually},
};
use landfall_app::{Settings, worker};
use landfall_model::connector::Detection;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn connect_deploy_delete_destroy_disconnect() {
    let mut settings = Settings::default();
    settings.worker.poll = Duration::from_millis(1);
    let (app, _, cloud) = common::assemble(settings, Arc::new(Swift::default())).await;
    let admin = common::tenant(&app, "Acme").await.admin;
    let token = admin.secret();
    let router = landfall_api::router(app.clone());
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn(worker::run(app.clone(), shutdown.clone()));

    let methods = get(&router, token, "/api/v1/methods").await.ok();
    assert_eq!(methods["items"][0]["availability"]["kind"], "available");
    let new = json!({
        "name": "production", "account_id": common::ACCOUNT, "method": "assume-role",
        "partition": "aws", "regions": [common::REGION], "with_reaper": true,
    });
    let created = post(&router, token, "/api/v1/connections", &new).await.ok();
    assert_eq!(created["connection"]["state"]["status"], "pending");
    let facts = created["grant"]["facts"].as_array().unwrap();
    let external_id = facts.iter().find(|fact| fact["id"] == "external-id");
    assert_eq!(
        external_id.unwrap()["value"],
        created["connection"]["external_id"]
    );
    let connection = format!(
        "/api/v1/connections/{}",
        created["connection"]["id"].as_str().unwrap()
    );
    let template = format!("{connection}/template");
    assert!(get(&router, token, &template).await.ok()["Resources"].is_object());

    cloud.verifies(vec![check("aws.account-matches")], false);
    cloud.detects(Detection::Granted);
    eventually("it is connected", async || {
        let connection = get(&router, token, &connection).await.ok();
        connection["state"]["status"] == "connected"
    })
    .await;
    let checks = get(&router, token, &format!("{connection}/checks"))
        .await
        .ok();
    assert_eq!(checks["items"][0]["trigger"], "detection");
    let body = json!({ "default_region": common::REGION });
    patch(&router, token, &connection, &body).await.ok();

    let shop = post(
        &router,
        token,
        "/api/v1/applications",
        &json!({ "name": "shop" }),
    )
    .await
    .ok();
    let path = format!(
        "/api/v1/applications/{}/workloads/web",
        shop["id"].as_str().unwrap()
    );
    put_score(&router, token, &path, common::SCORE).await.ok();
    let new = json!({
        "application_id": shop["id"], "connection_id": created["connection"]["id"],
        "name": "production", "kind": "production",
    });
    let environment = post(&router, token, "/api/v1/environments", &new)
        .await
        .ok();
    assert_eq!(environment["approval"], "manual");
    let environment = format!(
        "/api/v1/environments/{}",
        environment["id"].as_str().unwrap()
    );

    let plan = post(&router, token, &format!("{environment}/plans"), &json!({}))
        .await
        .ok();
    let path = format!("/api/v1/plans/{}", plan["id"].as_str().unwrap());
    let early = post(&router, token, &format!("{path}/rollouts"), &json!({})).await;
    assert_eq!(early.code(), "plan-not-approved");
    let digest = json!({ "digest": plan["digest"] });
    post(&router, token, &format!("{path}/approve"), &digest)
        .await
        .ok();
    let rollout = post(&router, token, &format!("{path}/rollouts"), &json!({}))
        .await
        .ok();
    let rollout = format!("/api/v1/rollouts/{}", rollout["id"].as_str().unwrap());
    eventually("it is rolled out", async || {
        let progress = get(&router, token, &rollout).await.ok();
        progress["rollout"]["state"]["status"] == "succeeded"
    })
    .await;
    let progress = get(&router, token, &rollout).await.ok();
    assert_eq!(progress["done"], progress["total"]);
    let made = get(&router, token, &format!("{environment}/resources"))
        .await
        .ok();
    let made = made["items"].as_array().unwrap().len();
    assert_eq!(made, cloud.resources().len());

    let application = format!("/api/v1/applications/{}", shop["id"].as_str().unwrap());
    delete(&router, token, &application).await.ok();
    let retained = get(&router, token, "/api/v1/retained").await.ok();
    let items = retained["items"].as_array().unwrap();
    assert_eq!(items.len(), made);
    assert_eq!(cloud.resources().len(), made);
    let one = items
        .iter()
        .find(|one| one["type_name"] == "AWS::Logs::LogGroup")
        .unwrap();
    let path = format!("/api/v1/retained/{}", one["id"].as_str().unwrap());
    let wrong = json!({ "typed_name": "yes" });
    let refused = post(&router, token, &format!("{path}/destroy"), &wrong).await;
    assert_eq!(refused.code(), "retained-name-mismatch");
    let typed = json!({ "typed_name": one["identifier"].as_str().unwrap().rsplit('/').next() });
    post(&router, token, &format!("{path}/destroy"), &typed)
        .await
        .ok();
    eventually("it is destroyed", async || {
        get(&router, token, &path).await.ok()["state"]["status"] == "destroyed"
    })
    .await;

    let ended = post(
        &router,
        token,
        &format!("{connection}/disconnect"),
        &json!({}),
    )
    .await
    .ok();
    assert_eq!(ended["remaining"].as_array().unwrap().len(), made - 1);
    let verified = get(&router, token, "/api/v1/audit/verify").await.ok();
    let log = get(&router, token, "/api/v1/audit?after=0&limit=500")
        .await
        .ok();
    let log: &Vec<Value> = log["items"].as_array().unwrap();
    assert_eq!(verified["entries"], log.len());
    let newest = get(&router, token, "/api/v1/audit?limit=1").await.ok();
    assert_eq!(newest["items"][0]["action"], "connection.disconnect");

    shutdown.cancel();
    worker.await.unwrap();
}
