//! Wrong states of a connection that was good: each with the check that finds
//! it and what that says to do.

mod account;
mod identities;
mod key;
mod organization;
mod parent;
mod project;
mod provider;

use crate::support::{Scene, check, gcp, ways::Way};
use landfall_gcp::IssuerKeys;
use landfall_model::{
    check::Outcome::{self, Fail, Skipped},
    connection::Connection,
    connector::{Connector as _, Detection, Verification},
    grant::{GcpGrant, GcpIdentity, GrantSpec},
};
use landfall_sandbox::Config;
use serde_json::json;
use std::{collections::BTreeSet, pin::Pin};

/// What somebody does to a project, or to the connection.
type Spoil = for<'a> fn(
    &'a Scene,
    &'a mut Connection,
    &'a GcpGrant,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The check, its outcome, and a part of its remedy.
type Row = (&'static str, Spoil, &'static str, Outcome, &'static str);

async fn all(rows: Vec<Row>) {
    by(Way::Federation(IssuerKeys::Fetched), rows).await;
}

async fn by(way: Way, rows: Vec<Row>) {
    for row in rows {
        in_scene(&Scene::by(way, Config::default()).await, row).await;
    }
}

async fn in_scene(scene: &Scene, (name, spoil, id, outcome, remedy): Row) -> Verification {
    let (mut connection, spec) = scene.connected().await;
    spoil(scene, &mut connection, gcp(&spec)).await;
    eprintln!("{name}");
    scene.finds(&connection, &spec, id, outcome, remedy).await
}

/// Changes the permissions of an account's custom role.
async fn edit_role(
    scene: &Scene,
    grant: &GcpGrant,
    identity: GcpIdentity,
    edit: impl FnOnce(&mut BTreeSet<String>),
) {
    let role = grant.role(identity).expect("a role");
    let mut permissions = role.permissions.clone();
    edit(&mut permissions);
    let change = json!({ "includedPermissions": permissions });
    scene.customer.role(grant, identity, change).await;
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
use spoil;

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
