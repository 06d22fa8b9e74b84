//! Of an account that this server made for the connection.

use super::{by, edit_role, organization::organization_policy, project::switch_off, spoil};
use crate::support::ways::Way;
use landfall_model::{
    check::Outcome::{Fail, Unanswered, Warn},
    connection::{GcpAccess, Target},
    connector::Connector as _,
    grant::{GcpIdentity, GcpTrust},
};
use serde_json::json;

macro_rules! access {
    ($connection:ident, $account:expr) => {
        let Target::Gcp(target) = &mut $connection.target else {
            panic!("Google Cloud");
        };
        target.access = GcpAccess::Impersonation {
            service_account: $account,
        };
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_account_of_ours() {
    by(
        Way::Account,
        vec![
            (
                "nothing was prepared",
                spoil!(|_s, connection, _g| {
                    access!(connection, None);
                }),
                "gcp.own-account",
                Fail,
                "connect again",
            ),
            (
                "the account of another connection",
                spoil!(|scene, connection, _g| {
                    let other = scene.operator.email("lf-0190b5c8e0f07c3f8a1d2b3c");
                    access!(connection, Some(other));
                }),
                "gcp.own-account",
                Fail,
                "an account of its own",
            ),
            (
                "our account was deleted",
                spoil!(|scene, connection, _g| {
                    scene.connector.release(connection).await.unwrap();
                }),
                "gcp.token-accepted",
                Unanswered,
                "the operator looks at clouds.gcp.operator",
            ),
            (
                "the provisioner lets nobody in",
                spoil!(|scene, _c, grant| {
                    scene
                        .customer
                        .bind_account(grant, GcpIdentity::Provisioner, json!([]))
                        .await;
                }),
                "gcp.provisioner-impersonated",
                Fail,
                "connect by workload-identity",
            ),
            (
                "the provisioner lets the identity of all connections in",
                spoil!(|scene, _c, grant| {
                    let GcpTrust::Account { email, role } = &grant.trust else {
                        panic!("an account");
                    };
                    let server = scene.operator.email("landfall-server");
                    let members = [email, &server].map(|one| format!("serviceAccount:{one}"));
                    let bindings = json!([{ "role": role, "members": members }]);
                    scene
                        .customer
                        .bind_account(grant, GcpIdentity::Provisioner, bindings)
                        .await;
                }),
                "gcp.other-accounts-refused",
                Fail,
                "another connection of this server could use it",
            ),
            (
                "outsiders are kept out from now on",
                spoil!(|scene, _c, grant| {
                    let spec = json!({ "rules": [{ "values": { "allowedValues": ["C0own"] } }] });
                    let name = "iam.allowedPolicyMemberDomains";
                    organization_policy(scene, grant, name, spec).await;
                }),
                "gcp.organization-policy.sharing",
                Warn,
                "workload-identity",
            ),
            (
                "the same by the managed constraint",
                spoil!(|scene, _c, grant| {
                    let spec = json!({ "rules": [{ "enforce": true, "parameters": {} }] });
                    let name = "iam.managed.allowedPolicyMembers";
                    organization_policy(scene, grant, name, spec).await;
                }),
                "gcp.organization-policy.managed-sharing",
                Warn,
                "workload-identity",
            ),
            (
                "the Cloud Resource Manager API is off",
                spoil!(|scene, _c, _g| {
                    switch_off(scene, "cloudresourcemanager").await;
                }),
                "gcp.project-matches",
                Fail,
                "gcloud services enable cloudresourcemanager.googleapis.com",
            ),
            (
                "the bootstrap is not confined any more",
                spoil!(|scene, _c, grant| {
                    let email = &grant.account(GcpIdentity::Bootstrap).unwrap().email;
                    scene.customer.admit(email).await;
                }),
                "gcp.bindings-as-granted.bootstrap",
                Fail,
                "take these bindings",
            ),
            (
                "the reaper's custom role was narrowed",
                spoil!(|scene, _c, grant| {
                    edit_role(scene, grant, GcpIdentity::Reaper, |all| {
                        all.remove("storage.buckets.delete");
                    })
                    .await;
                }),
                "gcp.permissions.destruction",
                Fail,
                "deny policy",
            ),
            (
                "and the grant is not as it was",
                spoil!(|scene, _c, grant| {
                    edit_role(scene, grant, GcpIdentity::Reaper, |all| {
                        all.remove("storage.buckets.delete");
                    })
                    .await;
                }),
                "gcp.grant-unchanged",
                Warn,
                "audit log",
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
        ],
    )
    .await;
}
