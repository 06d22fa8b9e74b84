//! What is wrong, as a table: each row breaks one thing of a connection that
//! worked, and says which check tells it and what it tells people to do.

mod groups;
mod rows;

use crate::{
    consent,
    support::{
        change, check, connected,
        customer::{AUTHORIZATION, Grant},
        scene::{Scene, verify},
        shell::{BY, By},
        with,
    },
};
use futures::future::BoxFuture;
use landfall_model::{
    check::Outcome,
    connection::{AzureAccess, Connection},
    connector::Connector,
    grant::Identity,
};
use serde_json::Value;

type Break = for<'a> fn(&'a Scene, &'a mut Connection, &'a Grant) -> BoxFuture<'a, ()>;

struct Row {
    what: &'static str,
    id: &'static str,
    outcome: Outcome,
    evidence: &'static str,
    remedy: &'static str,
    /// Nothing else can be said of the connection.
    refused: bool,
    break_it: Break,
}

const BY_REAPER: Identity = Identity::Reaper;
const BY_PROVISIONER: Identity = Identity::Provisioner;

fn fails(
    what: &'static str,
    id: &'static str,
    evidence: &'static str,
    remedy: &'static str,
    break_it: Break,
) -> Row {
    Row {
        what,
        id,
        outcome: Outcome::Fail,
        evidence,
        remedy,
        refused: false,
        break_it,
    }
}

fn warns(
    what: &'static str,
    id: &'static str,
    evidence: &'static str,
    remedy: &'static str,
    break_it: Break,
) -> Row {
    Row {
        outcome: Outcome::Warn,
        ..fails(what, id, evidence, remedy, break_it)
    }
}

impl Row {
    fn refused(self) -> Self {
        Self {
            refused: true,
            ..self
        }
    }
}

fn ids(connection: &mut Connection, with: impl FnOnce(&mut landfall_model::connection::Azure)) {
    change(connection, with);
}

fn client_id(connection: &mut Connection, id: Option<&str>) {
    ids(connection, |azure| {
        let wanted = id.map(|id| id.parse().unwrap());
        match &mut azure.access {
            AzureAccess::WorkloadIdentity { client_id }
            | AzureAccess::AdminConsent { client_id, .. }
            | AzureAccess::ClientSecret { client_id, .. } => *client_id = wanted,
        }
    });
}

/// What an administrator does to the assignment of an identity.
async fn assignment(
    scene: &Scene,
    grant: &Grant,
    identity: Identity,
    edit: impl FnOnce(&mut Value),
) {
    let admin = scene.administrator().await;
    let path = format!("{}?{AUTHORIZATION}", grant[&identity].assignment);
    let mut assignment = admin.must("GET", &path, Value::Null).await;
    edit(&mut assignment["properties"]);
    admin.must("DELETE", &path, Value::Null).await;
    if !assignment["properties"].is_null() {
        admin.must("PUT", &path, assignment).await;
    }
}

async fn actions(
    scene: &Scene,
    grant: &Grant,
    identity: Identity,
    edit: impl FnOnce(&mut Vec<Value>),
) {
    scene
        .edit(&grant[&identity], |role| {
            edit(role["permissions"][0]["actions"].as_array_mut().unwrap());
        })
        .await;
}

/// Replaces what an application of the customer's trusts.
async fn trusts(scene: &Scene, grant: &Grant, identity: Identity, change: Value) {
    let admin = scene.administrator().await;
    let path = format!(
        "/v1.0/applications/{}/federatedIdentityCredentials/landfall",
        grant[&identity].application
    );
    let method = if change.is_null() { "DELETE" } else { "PATCH" };
    admin.must(method, &path, change).await;
}

async fn principal(scene: &Scene, grant: &Grant, identity: Identity, method: &str, body: Value) {
    let path = format!("/v1.0/servicePrincipals/{}", grant[&identity].principal);
    scene.administrator().await.must(method, &path, body).await;
}

/// Each row on a connection and a grant of its own.
async fn all<'s>(
    scene: &'s Scene,
    connector: &dyn Connector,
    rows: Vec<Row>,
    make: impl AsyncFn(&'s Scene) -> (Connection, Grant),
) {
    for row in rows {
        let (mut connection, grant) = make(scene).await;
        connected(&mut connection);
        (row.break_it)(scene, &mut connection, &grant).await;
        let found = verify(connector, &connection).await;
        let what = row.what;
        let check = check(&found, row.id);
        assert_eq!(check.outcome, row.outcome, "{what}: {check:#?}");
        assert!(check.evidence.contains(row.evidence), "{what}: {check:#?}");
        assert!(check.remedy.contains(row.remedy), "{what}: {check:#?}");
        assert_eq!(found.refused, row.refused, "{what}");
        if row.outcome == Outcome::Warn {
            assert_eq!(with(&found, Outcome::Fail), [""; 0], "{what}");
        }
        assert_eq!(with(&found, Outcome::Propagating), [""; 0], "{what}");
        assert_eq!(with(&found, Outcome::Unanswered), [""; 0], "{what}");
        // One application may be the provisioner of several connections, and
        // may then do what any of them was given: out of the next row's way.
        let path = format!("{}?{AUTHORIZATION}", grant[&BY_PROVISIONER].assignment);
        let admin = scene.administrator().await;
        admin.call("DELETE", &path, Value::Null).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workload_identity() {
    let scene = Scene::new().await;
    let rows = [
        rows::of_all(),
        rows::of_own_application(),
        rows::of_assertions(),
    ];
    let rows = rows.into_iter().flatten().collect();
    all(&scene, scene.connector.as_ref(), rows, async |scene| {
        let mut connection = scene.connection();
        let grant = scene.grant(&mut connection).await;
        (connection, grant)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_secret() {
    let scene = Scene::new().await;
    let connector = scene.by_secret(true);
    let rows = [
        rows::of_all(),
        rows::of_own_application(),
        rows::of_secrets(),
    ];
    let rows = rows.into_iter().flatten().collect();
    all(&scene, connector.as_ref(), rows, async |scene| {
        let mut connection = scene.connection();
        let grant = scene.grant(&mut connection).await;
        let made = &grant[&BY_PROVISIONER];
        scene.use_secret(&mut connection, made, 300).await;
        (connection, grant)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_consent() {
    let scene = Scene::new().await;
    let connector = scene.by_consent(scene.with_application());
    let connection = consent::prepared(&scene, connector.as_ref()).await;
    consent::approved(&scene, connector.as_ref(), &connection).await;
    let rows = [rows::of_all(), rows::of_consent()];
    let rows = rows.into_iter().flatten().collect();
    let made = connector.as_ref();
    all(&scene, made, rows, async |scene| {
        let mut connection = consent::prepared(scene, made).await;
        let grant = scene.grant(&mut connection).await;
        (connection, grant)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_management_group() {
    for by in BY {
        let scene = Scene::new().await;
        let connector = by.connector(&scene);
        if by == By::Consent {
            by.connection(&scene, connector.as_ref()).await;
        }
        let own = match by {
            By::Consent => groups::of_consent(),
            By::Token | By::Secret => groups::of_own_application(),
        };
        let rows = groups::of_all().into_iter().chain(own).collect();
        let made = connector.as_ref();
        all(&scene, made, rows, async |scene| {
            let mut connection = match by {
                By::Consent => consent::prepared(scene, made).await,
                By::Token | By::Secret => scene.connection(),
            };
            scene.below_a_group(&mut connection).await;
            let grant = scene.grant(&mut connection).await;
            if by == By::Secret {
                let own = &grant[&BY_PROVISIONER];
                scene.use_secret(&mut connection, own, 300).await;
            }
            (connection, grant)
        })
        .await;
    }
}
