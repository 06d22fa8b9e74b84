//! Of the project.

use super::{all, spoil};
use crate::support::Scene;
use landfall_model::{
    check::Outcome::{Fail, Warn},
    connection::Target,
    grant::GcpIdentity,
};
use serde_json::json;

pub(super) async fn switch_off(scene: &Scene, api: &str) {
    let body = json!({
        "project": scene.customer.project,
        "service": format!("{api}.googleapis.com"),
        "enabled": false,
    });
    scene.admin("gcp/services", body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_project() {
    all(vec![
        (
            "no billing account",
            spoil!(|scene, _c, _g| {
                let body = json!({ "project": scene.customer.project, "account": null });
                scene.admin("gcp/billing", body).await;
            }),
            "gcp.billing-attached",
            Fail,
            "Link a billing account",
        ),
        (
            "an API was switched off, and there is nothing to pay with",
            spoil!(|scene, _c, _g| {
                switch_off(scene, "run").await;
                let body = json!({ "project": scene.customer.project, "account": null });
                scene.admin("gcp/billing", body).await;
            }),
            "gcp.apis-switched-on.billed",
            Fail,
            "attach a billing account",
        ),
        (
            "it is said of the API too",
            spoil!(|scene, _c, _g| {
                switch_off(scene, "run").await;
                let body = json!({ "project": scene.customer.project, "account": null });
                scene.admin("gcp/billing", body).await;
            }),
            "gcp.api-enabled.run",
            Fail,
            "gcloud services enable run.googleapis.com",
        ),
        (
            "Service Usage is off",
            spoil!(|scene, _c, _g| {
                switch_off(scene, "serviceusage").await;
            }),
            "gcp.service-usage-reachable",
            Fail,
            "cannot be switched on through itself",
        ),
        (
            "Resource Manager is off",
            spoil!(|scene, _c, _g| {
                switch_off(scene, "cloudresourcemanager").await;
            }),
            "gcp.provisioner-bound",
            Fail,
            "gcloud services enable cloudresourcemanager.googleapis.com",
        ),
        (
            "the provisioner's role is bound again, which does not excuse what ran beside it",
            spoil!(|scene, _c, grant| {
                let role = grant.role(GcpIdentity::Provisioner).unwrap().name.clone();
                scene
                    .customer
                    .bind(|all| all.retain(|binding| binding["role"] != role.as_str()))
                    .await;
                let fault = json!({
                    "kind": "throttle",
                    "match": { "operation": "serviceusage.services.get" },
                    "times": 2,
                });
                scene.admin("faults", fault).await;
                switch_off(scene, "serviceusage").await;
            }),
            "gcp.service-usage-reachable",
            Fail,
            "cannot be switched on through itself",
        ),
        (
            "the credentials API is off",
            spoil!(|scene, _c, _g| {
                switch_off(scene, "iamcredentials").await;
            }),
            "gcp.provisioner-impersonated",
            Fail,
            "iamcredentials.googleapis.com",
        ),
        (
            "the token API is off",
            spoil!(|scene, _c, _g| {
                switch_off(scene, "sts").await;
            }),
            "gcp.token-accepted",
            Fail,
            "sts.googleapis.com",
        ),
        (
            "a region that Google does not have",
            spoil!(|_s, connection, _g| {
                connection.regions.push("eu-central-1".into());
            }),
            "gcp.regions-available",
            Fail,
            "europe-west1",
        ),
        (
            "a quota that is too low",
            spoil!(|scene, _c, _g| {
                let body = json!({
                    "project": scene.customer.project, "quota": "STATIC-ADDRESSES-per-project-region",
                    "region": crate::support::REGION, "limit": 1,
                });
                scene.admin("gcp/quotas", body).await;
            }),
            "gcp.quota.static-addresses-per-project-region",
            Warn,
            "Quotas & System Limits",
        ),
        (
            "the wrong organization",
            spoil!(|_s, connection, _g| {
                let Target::Gcp(target) = &mut connection.target else {
                    panic!("Google Cloud");
                };
                target.parent = "organizations/1".parse().ok();
            }),
            "gcp.organization-visible",
            Fail,
            "Could not find Organization ID",
        ),
    ])
    .await;
}
