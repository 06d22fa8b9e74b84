//! Two keys, on everything below what is granted.

use crate::{
    bounds::{token, try_bind_on},
    support::{Above, Scene, customer::Customer, gcp, ways::Way},
};
use landfall_gcp::IssuerKeys;
use landfall_model::{Clock as _, grant::GcpIdentity};
use landfall_sandbox::Config;
use serde_json::{Value, json};
use std::time::Duration;

const MANAGER: &str = "cloudresourcemanager";
const OTHER: &str = "another-project-1";

/// A second project in the folder, which Landfall was never told of.
async fn sibling(scene: &Scene) -> String {
    let customer = &scene.customer;
    let body = json!({ "projectId": OTHER, "parent": customer.folder });
    customer.post(MANAGER, "v3/projects", body).await.ok();
    format!("projects/{OTHER}")
}

/// Which of the permissions whoever has the token holds.
async fn held(customer: &Customer, token: &str, on: &str, asked: &[&str]) -> Vec<String> {
    let path = format!("v3/{on}:testIamPermissions");
    let body = json!({ "permissions": asked });
    let said = customer
        .call(token, "POST", MANAGER, &path, body)
        .await
        .ok();
    serde_json::from_value(said["permissions"].clone()).unwrap_or_default()
}

const WAYS: [Way; 2] = [Way::Federation(IssuerKeys::Fetched), Way::Account];

#[tokio::test(flavor = "multi_thread")]
async fn everything_below_is_reached_and_nothing_of_it_is_destroyed() {
    for way in WAYS {
        for above in [Above::Folder, Above::Organization] {
            let scene = Scene::above(way, above, Config::default()).await;
            let sibling = sibling(&scene).await;
            keeps_within(&scene, &sibling).await;
        }
    }
}

async fn keeps_within(scene: &Scene, sibling: &str) {
    let (_, spec) = scene.connected().await;
    let grant = gcp(&spec);
    let customer = &scene.customer;
    let provisioner = token(scene, grant, GcpIdentity::Provisioner).await;
    // The point of such a grant: what nobody connected is reached.
    let path = format!("v3/{sibling}");
    let seen = customer
        .call(&provisioner, "GET", MANAGER, &path, Value::Null)
        .await
        .ok();
    assert_eq!(seen["projectId"], OTHER);
    let path = format!("v1/{sibling}/services?filter=state:ENABLED");
    let listed = customer
        .call(&provisioner, "GET", "serviceusage", &path, Value::Null)
        .await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let makes = [
        "run.services.create",
        "cloudsql.instances.create",
        "storage.buckets.create",
    ];
    assert_eq!(held(customer, &provisioner, sibling, &makes).await, makes);
    let bootstrap = token(scene, grant, GcpIdentity::Bootstrap).await;
    let path = format!("v1/{sibling}/services/run.googleapis.com:enable");
    let switched = customer
        .call(&bootstrap, "POST", "serviceusage", &path, json!({}))
        .await;
    // It may; what is in the way is that nobody pays for that project.
    assert_ne!(switched.status, 403, "{switched:?}");
    scene.clock.sleep(Duration::from_secs(1)).await;

    for identity in [GcpIdentity::Provisioner, GcpIdentity::Bootstrap] {
        let token = token(scene, grant, identity).await;
        let itself = customer.member(grant, identity);
        let own = grant.role(identity).unwrap();
        let reaper = grant.role(GcpIdentity::Reaper).unwrap();
        for on in [sibling, &customer.folder, &customer.organization] {
            for role in [reaper.name.as_str(), own.name.as_str(), "roles/owner"] {
                let said = try_bind_on(scene, &token, on, role, &itself).await;
                assert_eq!(said, 403, "{identity:?} {role} on {on}");
            }
        }
        let destroys = [
            "cloudsql.instances.delete",
            "redis.instances.delete",
            "storage.buckets.delete",
            "storage.objects.delete",
            "pubsub.topics.delete",
            "secretmanager.secrets.delete",
            "secretmanager.versions.access",
            "artifactregistry.repositories.delete",
            "resourcemanager.projects.delete",
        ];
        for on in [sibling, &customer.folder] {
            let has = held(customer, &token, on, &destroys).await;
            assert!(has.is_empty(), "{identity:?} on {on}: {has:?}");
        }
        let mut wider = own.permissions.clone();
        wider.insert("storage.buckets.delete".to_owned());
        let made = json!({ "roleId": "mine", "role": { "includedPermissions": wider } });
        for (method, service, path, body) in [
            ("DELETE", MANAGER, format!("v3/{sibling}"), json!({})),
            (
                "PATCH",
                "iam",
                format!("v1/{}?updateMask=includedPermissions", own.name),
                json!({ "includedPermissions": wider }),
            ),
            (
                "POST",
                "iam",
                format!("v1/{}:undelete", reaper.name),
                json!({}),
            ),
            (
                "POST",
                "iam",
                format!("v1/{}/roles", customer.organization),
                made.clone(),
            ),
            ("POST", "iam", format!("v1/{sibling}/roles"), made),
            (
                "POST",
                MANAGER,
                "v3/projects".to_owned(),
                json!({ "projectId": "mine-mine-mine", "parent": customer.folder }),
            ),
        ] {
            let said = customer.call(&token, method, service, &path, body).await;
            assert_eq!(said.status, 403, "{identity:?} {method} {path}: {said:?}");
        }
    }
    // That the attempts are well-formed shows the customer, who may.
    let path = format!("v3/{sibling}");
    let deleted = customer.delete(MANAGER, &path).await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    let member = customer.member(grant, GcpIdentity::Reaper);
    let role = &grant.role(GcpIdentity::Provisioner).unwrap().name;
    let token = customer.token.clone();
    for on in [&customer.folder, &customer.organization] {
        assert_eq!(try_bind_on(scene, &token, on, role, &member).await, 200);
    }
}
