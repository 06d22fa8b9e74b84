//! Of the organization's policies.

use super::{all, spoil};
use crate::support::{Scene, check};
use landfall_model::{
    check::Outcome::{self, Fail, Warn},
    grant::{GcpGrant, GcpIdentity},
};
use serde_json::{Value, json};

pub(super) async fn organization_policy(
    scene: &Scene,
    grant: &GcpGrant,
    constraint: &str,
    spec: Value,
) {
    let resource = scene.customer.organization.clone();
    let viewer = json!({
        "role": "roles/orgpolicy.policyViewer",
        "members": [scene.customer.member(grant, GcpIdentity::Bootstrap)],
    });
    scene
        .customer
        .bind_on(&resource, |all| all.push(viewer))
        .await;
    let body = json!({ "resource": resource, "constraint": constraint, "spec": spec });
    scene.admin("gcp/org-policy", body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_organization() {
    all(vec![
        (
            "nobody lets us see",
            spoil!(|_s, _c, _g| {}),
            "gcp.organization-policy.sharing",
            Warn,
            "Organization Policy Viewer",
        ),
        (
            "the regions are forbidden",
            spoil!(|scene, _c, grant| {
                let spec = json!({ "rules": [{ "values": { "allowedValues": ["us-east1"] } }] });
                organization_policy(scene, grant, "gcp.resourceLocations", spec).await;
            }),
            "gcp.organization-policy.locations",
            Fail,
            "choose other regions",
        ),
        (
            "a group of regions",
            spoil!(|scene, _c, grant| {
                let spec = json!({ "rules": [{ "values": { "allowedValues": ["in:eu-locations"] } }] });
                organization_policy(scene, grant, "gcp.resourceLocations", spec).await;
            }),
            "gcp.organization-policy.locations",
            Warn,
            "Resource Location Restriction",
        ),
        (
            "the issuer is forbidden from now on",
            spoil!(|scene, _c, grant| {
                let spec = json!({ "rules": [{ "values": { "allowedValues": ["https://accounts.google.com"] } }] });
                organization_policy(scene, grant, "iam.workloadIdentityPoolProviders", spec).await;
            }),
            "gcp.organization-policy.issuers",
            Warn,
            "Organization Policy Administrator",
        ),
        (
            "keys are forbidden, which is nothing to us",
            spoil!(|scene, _c, grant| {
                let spec = json!({ "rules": [{ "enforce": true }] });
                organization_policy(scene, grant, "iam.disableServiceAccountKeyCreation", spec).await;
            }),
            "gcp.organization-policy.keys",
            Outcome::Pass,
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sharing_that_keeps_the_provisioner_out_is_explained() {
    let scene = Scene::new().await;
    let (connection, spec) = scene.granted().await;
    let body = json!({
        "resource": scene.customer.organization,
        "constraint": "iam.allowedPolicyMemberDomains",
        "spec": { "rules": [{ "values": { "allowedValues": ["C0another"] } }] },
    });
    scene.admin("gcp/org-policy", body).await;
    let found = scene
        .finds(
            &connection,
            &spec,
            "gcp.provisioner-bound",
            Fail,
            "Cannot grant access to the service account",
        )
        .await;
    let remedy = &check(&found, "gcp.provisioner-bound").remedy;
    assert!(remedy.contains("lacks that role: an organization administrator grants it"));
}
