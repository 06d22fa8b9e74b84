//! Of the provider.

use super::{all, spoil};
use crate::support::Scene;
use landfall_model::{check::Outcome::Fail, grant::GcpGrant};
use serde_json::{Value, json};

async fn patch_provider(scene: &Scene, grant: &GcpGrant, mask: &str, body: Value) {
    let path = format!("{}?updateMask={mask}", scene.customer.provider(grant));
    scene.customer.patch("iam", &path, body).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_provider() {
    all(vec![
        (
            "no condition",
            spoil!(|scene, _c, grant| {
                let body = json!({ "attributeCondition": "" });
                patch_provider(scene, grant, "attributeCondition", body).await;
            }),
            "gcp.token-subject-enforced",
            Fail,
            "assertion.sub == 'landfall:org_",
        ),
        (
            "a condition that lets all of us in",
            spoil!(|scene, _c, grant| {
                let body = json!({ "attributeCondition": "assertion.sub.startsWith('landfall:')" });
                patch_provider(scene, grant, "attributeCondition", body).await;
            }),
            "gcp.provider-exact",
            Fail,
            "run the setup again",
        ),
        (
            "another connection's condition",
            spoil!(|scene, _c, grant| {
                let body = json!({ "attributeCondition": "assertion.sub == 'landfall:org_x:con_y'" });
                patch_provider(scene, grant, "attributeCondition", body).await;
            }),
            "gcp.token-accepted",
            Fail,
            "attribute condition must be",
        ),
        (
            "any audience",
            spoil!(|scene, _c, grant| {
                let own = format!("https://iam.googleapis.com/{}", &scene.customer.provider(grant)[3..])
                    .replace(&scene.customer.project, &scene.customer.number);
                let body = json!({ "oidc": { "allowedAudiences": [own, "https://somebody-else.example"] } });
                patch_provider(scene, grant, "oidc.allowedAudiences", body).await;
            }),
            "gcp.token-audience-enforced",
            Fail,
            "allowed audiences",
        ),
        (
            "other audiences",
            spoil!(|scene, _c, grant| {
                let body = json!({ "oidc": { "allowedAudiences": ["https://x.example"] } });
                patch_provider(scene, grant, "oidc.allowedAudiences", body).await;
            }),
            "gcp.token-accepted",
            Fail,
            "no allowed audiences",
        ),
        (
            "another issuer",
            spoil!(|scene, _c, grant| {
                let body = json!({ "oidc": { "issuerUri": "https://other.example" } });
                patch_provider(scene, grant, "oidc.issuerUri", body).await;
                let body = json!({ "url": "https://other.example", "served_at": scene.sandbox });
                scene.admin("issuers", body).await;
            }),
            "gcp.token-accepted",
            Fail,
            "another issuer",
        ),
        (
            "the provider is disabled",
            spoil!(|scene, _c, grant| {
                patch_provider(scene, grant, "disabled", json!({ "disabled": true })).await;
            }),
            "gcp.token-accepted",
            Fail,
            "disabled or deleted",
        ),
        (
            "the pool is deleted",
            spoil!(|scene, _c, grant| {
                let provider = scene.customer.provider(grant);
                let pool = provider.split("/providers/").next().unwrap();
                scene.customer.delete("iam", pool).await.ok();
            }),
            "gcp.token-accepted",
            Fail,
            "run the setup in the project",
        ),
    ])
    .await;
}
