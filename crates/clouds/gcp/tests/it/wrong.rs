//! Wrong states of a connection that was good: each with the check that finds
//! it and what that says to do.

use crate::support::{Scene, check, gcp};
use landfall_model::{
    check::Outcome::{self, Fail, Skipped, Warn},
    connection::{Connection, Target},
    connector::{Connector as _, Detection},
    grant::{GcpGrant, GcpIdentity, GrantSpec},
};
use serde_json::{Value, json};
use std::pin::Pin;

/// What somebody does to a project, or to the connection.
type Spoil = for<'a> fn(
    &'a Scene,
    &'a mut Connection,
    &'a GcpGrant,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The check, its outcome, and a part of its remedy.
type Row = (&'static str, Spoil, &'static str, Outcome, &'static str);

async fn all(rows: Vec<Row>) {
    for (name, spoil, id, outcome, remedy) in rows {
        let scene = Scene::new().await;
        let (mut connection, spec) = scene.connected().await;
        spoil(&scene, &mut connection, gcp(&spec)).await;
        eprintln!("{name}");
        scene.finds(&connection, &spec, id, outcome, remedy).await;
    }
}

macro_rules! spoil {
    (|$scene:ident, $connection:ident, $grant:ident| $body:block) => {
        |$scene, $connection, $grant| {
            Box::pin(async move {
                let _ = (&$scene, &$connection, &$grant);
                $body
            })
        }
    };
}

async fn patch_provider(scene: &Scene, grant: &GcpGrant, mask: &str, body: Value) {
    let path = format!("{}?updateMask={mask}", scene.customer.provider(grant));
    scene.customer.patch("iam", &path, body).await.ok();
}

async fn switch_off(scene: &Scene, api: &str) {
    let body = json!({
        "project": scene.customer.project,
        "service": format!("{api}.googleapis.com"),
        "enabled": false,
    });
    scene.admin("gcp/services", body).await;
}

async fn organization_policy(scene: &Scene, grant: &GcpGrant, constraint: &str, spec: Value) {
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
                let mut wider = grant
                    .role(GcpIdentity::Provisioner)
                    .unwrap()
                    .permissions
                    .clone();
                wider.insert("dns.managedZones.list".into());
                let change = json!({ "includedPermissions": wider });
                scene
                    .customer
                    .role(grant, GcpIdentity::Provisioner, change)
                    .await;
            }),
            "gcp.role-as-granted.provisioner",
            Warn,
            "somebody else can change IAM",
        ),
        (
            "and the grant is not as it was",
            spoil!(|scene, _c, grant| {
                let mut wider = grant
                    .role(GcpIdentity::Provisioner)
                    .unwrap()
                    .permissions
                    .clone();
                wider.insert("dns.managedZones.list".into());
                let change = json!({ "includedPermissions": wider });
                scene
                    .customer
                    .role(grant, GcpIdentity::Provisioner, change)
                    .await;
            }),
            "gcp.grant-unchanged",
            Warn,
            "audit log",
        ),
        (
            "the custom role was narrowed",
            spoil!(|scene, _c, grant| {
                let mut narrow = grant
                    .role(GcpIdentity::Provisioner)
                    .unwrap()
                    .permissions
                    .clone();
                narrow.remove("run.services.create");
                let change = json!({ "includedPermissions": narrow });
                scene
                    .customer
                    .role(grant, GcpIdentity::Provisioner, change)
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
                target.parent = Some("organizations/1".into());
            }),
            "gcp.organization-visible",
            Fail,
            "Could not find Organization ID",
        ),
    ])
    .await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_of_another_cloud_is_said_to_be_that() {
    let scene = Scene::new().await;
    let (mut connection, spec) = scene.granted().await;
    connection.target = serde_json::from_value(json!({
        "cloud": "aws", "account_id": "123456789012", "partition": "aws", "method": "oidc",
    }))
    .unwrap();
    let found = scene.verify(&connection, &spec).await;
    assert_eq!(check(&found, "gcp.connection").outcome, Fail);
    assert!(matches!(
        scene.connector.detect(&connection).await,
        Detection::Unreachable { .. }
    ));
    let principal = scene.connector.principal().await.unwrap();
    let refused = scene.connector.guide(&connection, &[], &spec, &principal);
    assert!(refused.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_on_a_failed_check_is_skipped() {
    let scene = Scene::new().await;
    let (connection, spec): (Connection, GrantSpec) = scene.connected().await;
    scene
        .customer
        .bind_account(gcp(&spec), GcpIdentity::Bootstrap, json!([]))
        .await;
    let found = scene.verify(&connection, &spec).await;
    for id in [
        "gcp.project-matches",
        "gcp.billing-attached",
        "gcp.api-enabled.run",
        "gcp.provider-exact",
        "gcp.role-as-granted.reaper",
    ] {
        assert_eq!(check(&found, id).outcome, Skipped, "{id}");
    }
    // What the others are asked is asked all the same.
    let network = check(&found, "gcp.permissions.network");
    assert_eq!(network.outcome, Outcome::Pass);
    assert!(!found.refused);
}
