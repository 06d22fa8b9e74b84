//! The confused deputy, tried by one organization of a server on another: the
//! server's keys sign for both, so only the subject keeps them apart.

use crate::{
    check, connected, customers,
    harness::{
        api::{Api, text},
        scene::{Scene, asked, status},
    },
    new,
};
use serde_json::{Value, json};

/// What a cloud finds of somebody else's identity.
fn refusal(cloud: &str) -> &'static str {
    match cloud {
        "gcp" => "gcp.token-accepted",
        _ => "azure.token-accepted.provisioner",
    }
}

async fn audited(api: &Api, action: &str, target: &str) -> Vec<Value> {
    let mut rows = api.items("/audit?limit=200").await.unwrap();
    rows.retain(|row| row["action"] == action && row["target"] == target);
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn who_enters_anothers_scope_is_not_let_in() {
    let scene = Scene::new().await;
    let other = scene.organization("Other").await;
    for (cloud, customer) in customers(&scene, 0) {
        let ours = connected(&scene, cloud, customer.as_ref()).await;

        // The project or subscription is no secret, and neither is what the
        // setup printed.
        let body = new(cloud, customer.as_ref()).await;
        let created = other.post("/connections", body).await.unwrap();
        let id = text(&created["connection"], "id").unwrap();
        let path = format!("/connections/{id}");
        other.patch(&path, ours.entered.clone()).await.unwrap();
        for field in ["external_id", "id"] {
            let theirs = text(&created["connection"], field).unwrap();
            assert_ne!(theirs, json!(ours.asked.connection)[field], "{field}");
        }
        for _ in 0..3 {
            let verify = format!("{path}/verify");
            let run = other.post(&verify, json!({})).await.unwrap();
            let checks = run["checks"].as_array().unwrap();
            let refused = check(checks, refusal(cloud));
            // Never granted: perhaps it has not settled yet.
            assert_eq!(refused["outcome"], "propagating", "{refused}");
            let good = checks.iter().filter(|one| one["outcome"] == "pass");
            for one in good {
                let id = text(one, "id").unwrap();
                let of_us = [".issuer", "-known", "tenant-found", "client-found"];
                assert!(of_us.iter().any(|part| id.ends_with(part)), "{one}");
            }
            let now = other.get(&path).await.unwrap();
            assert_eq!(status(&now), "pending", "{checks:#?}");
        }
        let rows = audited(&other, "connection.verify", id).await;
        assert_eq!(rows.len(), 3, "{rows:#?}");
        for row in rows {
            assert_eq!(row["detail"]["outcome"], "propagating", "{row:#?}");
        }

        // Nor is the connection itself anybody else's to use.
        for action in ["verify", "disconnect"] {
            let path = format!("{}/{action}", ours.path());
            let refused = other.post(&path, json!({})).await.unwrap_err();
            assert_eq!(refused.code().as_deref(), Some("not-found"));
            let rows = audited(&other, &format!("connection.{action}"), &ours.id).await;
            assert_eq!(rows.len(), 1, "{rows:#?}");
            assert_eq!(rows[0]["outcome"], "not-found");
        }
        let refused = other.get(&format!("{}/grant", ours.path())).await;
        assert_eq!(refused.unwrap_err().code().as_deref(), Some("not-found"));
        let seen = audited(&scene.api, "connection.verify", &ours.id).await;
        assert!(seen.is_empty(), "{seen:#?}");
        let now = scene.api.get(&ours.path()).await.unwrap();
        assert_eq!(status(&now), "connected");
    }
}

/// A connection that worked is pointed at what somebody else granted.
#[tokio::test(flavor = "multi_thread")]
async fn who_turns_a_working_connection_to_anothers_grant_loses_it() {
    let scene = Scene::new().await;
    let other = scene.organization("Other").await;
    let theirs = customers(&scene, 1);
    for ((cloud, customer), (_, stranger)) in customers(&scene, 0).into_iter().zip(theirs) {
        let ours = connected(&scene, cloud, customer.as_ref()).await;
        let body = new(cloud, stranger.as_ref()).await;
        let created = other.post("/connections", body).await.unwrap();
        let id = text(&created["connection"], "id").unwrap();
        let path = format!("/connections/{id}");
        let own = stranger.grant(&asked(&created)).await.unwrap().unwrap();
        other.patch(&path, own.clone()).await.unwrap();
        let is = async |wanted: &str| {
            let seen = |one: &Value| status(one) == wanted;
            let patience = crate::harness::PATIENCE;
            other.until(&path, patience, seen).await.unwrap();
        };
        is("connected").await;

        other.patch(&path, ours.entered.clone()).await.unwrap();
        is("revoked").await;
        let runs = other.items(&format!("{path}/checks")).await.unwrap();
        let checks = runs[0]["checks"].as_array().unwrap();
        let failed = checks.iter().find(|one| one["outcome"] == "fail");
        let failed = failed.unwrap_or_else(|| panic!("nothing failed: {checks:#?}"));
        assert!(!text(failed, "remedy").unwrap().is_empty(), "{failed}");
        let rows = audited(&other, "connection.state", id).await;
        let lost = json!({ "from": "connected", "to": "revoked" });
        assert!(rows.iter().any(|row| row["detail"] == lost), "{rows:#?}");
        // No work starts through it.
        let application = other
            .post("/applications", json!({ "name": format!("of-{cloud}") }))
            .await
            .unwrap();
        let environment = json!({
            "application_id": application["id"],
            "connection_id": id,
            "name": "production",
            "kind": "production",
        });
        let refused = other.post("/environments", environment).await.unwrap_err();
        assert_eq!(refused.code().as_deref(), Some("connection-revoked"));

        // It is the entry that was wrong: with the right one it heals.
        other.patch(&path, own).await.unwrap();
        is("connected").await;
        let now = scene.api.get(&ours.path()).await.unwrap();
        assert_eq!(status(&now), "connected");
    }
}
