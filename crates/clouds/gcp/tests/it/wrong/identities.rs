//! Of the accounts, and of what they may.

use super::{all, edit_role, spoil};
use crate::support::{Scene, check, gcp};
use landfall_model::{
    check::Outcome::{Fail, Pass, Warn},
    grant::GcpIdentity,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn of_the_accounts() {
    all(vec![
        (
            "the provisioner is deleted",
            spoil!(|scene, _c, grant| {
                let account = scene.customer.account(grant, GcpIdentity::Provisioner);
                scene.customer.delete("iam", &account).await.ok();
            }),
            "gcp.provisioner-impersonated",
            Fail,
            "missing or disabled",
        ),
        (
            "the reaper is disabled",
            spoil!(|scene, _c, grant| {
                let path = format!(
                    "{}:disable",
                    scene.customer.account(grant, GcpIdentity::Reaper)
                );
                scene.customer.post("iam", &path, json!({})).await.ok();
            }),
            "gcp.reaper-impersonated",
            Fail,
            "run the setup again",
        ),
        (
            "the bootstrap lets nobody in",
            spoil!(|scene, _c, grant| {
                scene
                    .customer
                    .bind_account(grant, GcpIdentity::Bootstrap, json!([]))
                    .await;
            }),
            "gcp.bootstrap-impersonated",
            Fail,
            "roles/iam.workloadIdentityUser",
        ),
        (
            "the whole pool may act as the reaper",
            spoil!(|scene, connection, grant| {
                let pool = connection.gcp().unwrap().pool_id();
                let number = scene.customer.number.parse().unwrap();
                let everybody = format!(
                    "principalSet://iam.googleapis.com/projects/{number}/locations/global/\
                     workloadIdentityPools/{pool}/*"
                );
                let members = [grant.trust.member(&number), everybody];
                let bindings = json!([{ "role": grant.trust.role(), "members": members }]);
                scene
                    .customer
                    .bind_account(grant, GcpIdentity::Reaper, bindings)
                    .await;
            }),
            "gcp.trust-as-granted.reaper",
            Fail,
            "Principals with access",
        ),
        (
            "the provisioner may act as the reaper",
            spoil!(|scene, _c, grant| {
                let number = scene.customer.number.parse().unwrap();
                let bindings = json!([
                    { "role": grant.trust.role(), "members": [grant.trust.member(&number)] },
                    { "role": "roles/iam.serviceAccountTokenCreator",
                      "members": [scene.customer.member(grant, GcpIdentity::Provisioner)] },
                ]);
                scene
                    .customer
                    .bind_account(grant, GcpIdentity::Reaper, bindings)
                    .await;
            }),
            "gcp.refused.provisioner-no-reaper",
            Fail,
            "no two keys",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_they_may() {
    all(vec![
        (
            "the provisioner got a predefined role",
            spoil!(|scene, _c, grant| {
                let member = scene.customer.member(grant, GcpIdentity::Provisioner);
                scene
                    .customer
                    .bind(|all| {
                        all.push(json!({ "role": "roles/storage.admin", "members": [member] }))
                    })
                    .await;
            }),
            "gcp.refused.provisioner-no-destruction",
            Fail,
            "take that away",
        ),
        (
            "it is found in the bindings too",
            spoil!(|scene, _c, grant| {
                let member = scene.customer.member(grant, GcpIdentity::Provisioner);
                scene
                    .customer
                    .bind(|all| all.push(json!({ "role": "roles/run.admin", "members": [member] })))
                    .await;
            }),
            "gcp.bindings-as-granted.provisioner",
            Fail,
            "take these bindings",
        ),
        (
            "the provisioner owns the organization",
            spoil!(|scene, _c, grant| {
                let member = scene.customer.member(grant, GcpIdentity::Provisioner);
                let role = "roles/resourcemanager.organizationAdmin";
                let organization = scene.customer.organization.clone();
                scene
                    .customer
                    .bind_on(&organization, |all| {
                        all.push(json!({ "role": role, "members": [member] }))
                    })
                    .await;
            }),
            "gcp.refused.provisioner-no-widening",
            Fail,
            "or above it",
        ),
        (
            "the custom role was widened",
            spoil!(|scene, _c, grant| {
                edit_role(scene, grant, GcpIdentity::Provisioner, |all| {
                    all.insert("dns.managedZones.list".into());
                })
                .await;
            }),
            "gcp.role-as-granted.provisioner",
            Warn,
            "somebody else can change IAM",
        ),
        (
            "and the grant is not as it was",
            spoil!(|scene, _c, grant| {
                edit_role(scene, grant, GcpIdentity::Provisioner, |all| {
                    all.insert("dns.managedZones.list".into());
                })
                .await;
            }),
            "gcp.grant-unchanged",
            Warn,
            "audit log",
        ),
        (
            "the custom role was narrowed",
            spoil!(|scene, _c, grant| {
                edit_role(scene, grant, GcpIdentity::Provisioner, |all| {
                    all.remove("run.services.create");
                })
                .await;
            }),
            "gcp.permissions.run",
            Fail,
            "deny policy",
        ),
        (
            "an older setup",
            spoil!(|scene, _c, grant| {
                let change = json!({ "description": "landfall-grant-version=0" });
                scene
                    .customer
                    .role(grant, GcpIdentity::Reaper, change)
                    .await;
            }),
            "gcp.grant-version",
            Warn,
            "run the current setup",
        ),
        (
            "the bootstrap is not confined any more",
            spoil!(|scene, _c, grant| {
                let member = scene.customer.member(grant, GcpIdentity::Bootstrap);
                scene
                    .customer
                    .bind(|all| {
                        all.retain(|binding| binding["condition"].is_null());
                        all.push(json!({
                            "role": "roles/resourcemanager.projectIamAdmin", "members": [member],
                        }));
                    })
                    .await;
            }),
            "gcp.bindings-as-granted.bootstrap",
            Fail,
            "take these bindings",
        ),
        (
            "somebody took the provisioner's role away",
            spoil!(|scene, _c, grant| {
                let role = grant.role(GcpIdentity::Provisioner).unwrap().name.clone();
                scene
                    .customer
                    .bind(|all| all.retain(|binding| binding["role"] != role.as_str()))
                    .await;
            }),
            "gcp.provisioner-bound",
            Warn,
            "take the bootstrap's access away too",
        ),
    ])
    .await;
}

/// No test of permissions sees a condition: it may set the policy as granted.
#[tokio::test(flavor = "multi_thread")]
async fn a_bootstrap_that_may_bind_anything_leaves_one_key() {
    for condition in [
        None,
        Some(
            "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['roles/owner'])",
        ),
    ] {
        let scene = Scene::new().await;
        let (connection, spec) = scene.connected().await;
        assert!(!scene.verify(&connection, &spec).await.too_broad);
        let member = scene.customer.member(gcp(&spec), GcpIdentity::Bootstrap);
        let mut binding = json!({
            "role": "roles/resourcemanager.projectIamAdmin", "members": [member],
        });
        if let Some(expression) = condition {
            binding["condition"] = json!({ "title": "wider", "expression": expression });
        }
        scene.customer.bind(|all| all.push(binding)).await;
        let found = scene.verify(&connection, &spec).await;
        let widening = check(&found, "gcp.refused.bootstrap-no-widening");
        assert_eq!(widening.outcome, Pass, "{widening:?}");
        assert!(found.too_broad, "{condition:?}");
    }
}
