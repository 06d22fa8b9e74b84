//! Of a key and its account.

use super::{by, edit_role, project::switch_off, spoil};
use crate::support::{Scene, ways::Way};
use landfall_model::{
    Clock as _,
    check::Outcome::{Fail, Unanswered, Warn},
    connection::{Connection, GcpAccess, Target},
    entropy::SystemEntropy,
    grant::GcpIdentity,
    id::SecretId,
    vault::Plain,
};
use serde_json::json;
use std::time::Duration;

fn account(connection: &Connection) -> (String, String) {
    match connection.gcp().unwrap().access() {
        GcpAccess::ServiceAccountKey {
            service_account,
            key_id,
            ..
        } => (service_account.clone(), key_id.clone()),
        other => panic!("{other:?}"),
    }
}

fn path(scene: &Scene, connection: &Connection) -> String {
    let (email, _) = account(connection);
    format!(
        "v1/projects/{}/serviceAccounts/{email}",
        scene.customer.project
    )
}

/// Stores something else as the connection's key; nothing where it is `None`.
fn store(scene: &Scene, connection: &mut Connection, stored: Option<&[u8]>) {
    let id = SecretId::at(scene.clock.now(), &SystemEntropy);
    if let Some(stored) = stored {
        let plain = Plain::new(stored.to_vec());
        scene.secrets.put(&connection.organization_id, &id, plain);
    }
    let Target::Gcp(target) = &mut connection.target else {
        panic!("Google Cloud");
    };
    let GcpAccess::ServiceAccountKey { secret_id, .. } = &mut target.access else {
        panic!("a key");
    };
    *secret_id = id;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_key() {
    by(
        Way::Key,
        vec![
            (
                "the key is deleted",
                spoil!(|scene, connection, _g| {
                    let (_, key) = account(connection);
                    let path = format!("{}/keys/{key}", path(scene, connection));
                    scene.customer.delete("iam", &path).await.ok();
                }),
                "gcp.key-accepted",
                Fail,
                "otherwise create a new key",
            ),
            (
                "the key is disabled",
                spoil!(|scene, connection, _g| {
                    let (_, key) = account(connection);
                    let path = format!("{}/keys/{key}:disable", path(scene, connection));
                    scene.customer.post("iam", &path, json!({})).await.ok();
                }),
                "gcp.key-accepted",
                Fail,
                "is there and disabled, enable it",
            ),
            (
                "the account is disabled",
                spoil!(|scene, connection, _g| {
                    let path = format!("{}:disable", path(scene, connection));
                    scene.customer.post("iam", &path, json!({})).await.ok();
                }),
                "gcp.key-accepted",
                Fail,
                "gcloud iam service-accounts enable",
            ),
            (
                "the account is deleted",
                spoil!(|scene, connection, _g| {
                    let path = path(scene, connection);
                    scene.customer.delete("iam", &path).await.ok();
                }),
                "gcp.key-accepted",
                Fail,
                "was deleted, and its keys with it",
            ),
            (
                "this server has lost the key",
                spoil!(|scene, connection, _g| {
                    store(scene, connection, None);
                }),
                "gcp.key-stored",
                Fail,
                "upload the key file again",
            ),
            (
                "what this server has is no key",
                spoil!(|scene, connection, _g| {
                    store(scene, connection, Some(b"nothing"));
                }),
                "gcp.key-stored",
                Fail,
                "landfall doctor",
            ),
            (
                "this server's clock is off",
                spoil!(|scene, _c, _g| {
                    scene.clock.drift(Duration::from_secs(7200));
                }),
                "gcp.key-accepted",
                Unanswered,
                "nothing yet",
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_the_key_leads_to() {
    by(
        Way::Key,
        vec![
            (
                "the bootstrap lets nobody in",
                spoil!(|scene, _c, grant| {
                    scene
                        .customer
                        .bind_account(grant, GcpIdentity::Bootstrap, json!([]))
                        .await;
                }),
                "gcp.setup-possible",
                Fail,
                "gives the account Project IAM Admin",
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
                "missing or disabled",
            ),
            (
                "the key's account got another role",
                spoil!(|scene, connection, _g| {
                    let (email, _) = account(connection);
                    scene
                        .customer
                        .bind_role("roles/storage.admin", &email)
                        .await;
                }),
                "gcp.key-account-narrowed",
                Warn,
                "take these away",
            ),
            (
                "the key's account administers the organization",
                spoil!(|scene, connection, _g| {
                    let (email, _) = account(connection);
                    let binding = json!({
                        "role": "roles/resourcemanager.organizationAdmin",
                        "members": [format!("serviceAccount:{email}")],
                    });
                    let organization = scene.customer.organization.clone();
                    scene
                        .customer
                        .bind_on(&organization, |all| all.push(binding))
                        .await;
                }),
                "gcp.key-account-narrowed",
                Warn,
                "migrate this connection to workload-identity",
            ),
            (
                "somebody else may act as the reaper",
                spoil!(|scene, connection, grant| {
                    let (email, _) = account(connection);
                    let members = [
                        format!("serviceAccount:{email}"),
                        scene.customer.member(grant, GcpIdentity::Provisioner),
                    ];
                    let bindings = json!([{ "role": grant.trust.role(), "members": members }]);
                    scene
                        .customer
                        .bind_account(grant, GcpIdentity::Reaper, bindings)
                        .await;
                }),
                "gcp.trust-as-granted.reaper",
                Warn,
                "Principals with access",
            ),
            (
                "the custom role was widened",
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
                "the Cloud Resource Manager API is off",
                spoil!(|scene, _c, _g| {
                    switch_off(scene, "cloudresourcemanager").await;
                }),
                "gcp.setup-possible",
                Fail,
                "gcloud services enable cloudresourcemanager.googleapis.com",
            ),
            (
                "the Service Usage API is off",
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
                "gcp.bootstrap-impersonated",
                Fail,
                "iamcredentials.googleapis.com",
            ),
            (
                "keys are forbidden from now on",
                spoil!(|scene, _c, grant| {
                    let spec = json!({ "rules": [{ "enforce": true }] });
                    let name = "iam.managed.disableServiceAccountKeyCreation";
                    super::organization::organization_policy(scene, grant, name, spec).await;
                }),
                "gcp.organization-policy.managed-keys",
                Warn,
                "workload-identity",
            ),
        ],
    )
    .await;
}
