//! What a person enters in place of a secret that is in use.

use super::secrets::{Stage, by_secret, connected_by};
use crate::common::{self, Tenant, eventually};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use landfall_app::{
    App,
    connections::{self, New, Rotate},
};
use landfall_model::{
    connection::{Connection, RotationStep},
    error::Result,
    vault::Plain,
};
use serde_json::json;
use std::sync::{Arc, atomic::Ordering};

const PROJECT: &str = "acme-shop-prod";
const OLD: &str = "old08Q~0123456789012345678901234567890";
const NEW: &str = "new08Q~0123456789012345678901234567890";

async fn enter(
    app: &App,
    tenant: &Tenant,
    connection: &Connection,
    new: Rotate,
) -> Result<Connection> {
    connections::rotate(app, &tenant.admin.actor, &connection.id, new).await
}

/// Every look that lets it in counts, and one that does not takes all of them
/// back: a cloud's identity learns of a secret in one place after the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_secret_is_used_once_it_worked_three_times_in_a_row() {
    let stage = Stage::new().await;
    stage.application.add(OLD, None);
    stage.application.may_rotate.store(false, Ordering::SeqCst);
    let process = stage.start(Arc::default());
    let tenant = common::tenant(&process.app, "Acme").await;
    let connection = connected_by(&process, &tenant, by_secret(OLD)).await;
    let key = stage.application.add(NEW, None);

    let looks = [true, true, false, true, false, true, true, true];
    stage.application.looks.lock().unwrap().extend(looks);
    let new = Rotate {
        client_secret: Some(Plain::from(NEW.to_owned())),
        ..Rotate::default()
    };
    enter(&process.app, &tenant, &connection, new)
        .await
        .unwrap();
    eventually("it is used", async || {
        let shown = process.show(&tenant, &connection).await;
        shown.target.secret_key_id() == Some(&key)
    })
    .await;
    let unasked = stage.application.looks.lock().unwrap().len();
    assert_eq!(
        unasked, 0,
        "it was used before it had worked three times in a row"
    );
    process.stop().await;
}

/// A key file as Google gives it, and how the stand-in knows its key.
fn key_file(id: char) -> (Plain, String) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let body = STANDARD.encode(der.as_ref());
    let file = json!({
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": id.to_string().repeat(40),
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"),
        "client_email": format!("deployer@{PROJECT}.iam.gserviceaccount.com"),
    });
    (Plain::from(file.to_string()), hex::encode(der.as_ref()))
}

/// Whoever took the wrong file need not wait until it is given up, and of what
/// was replaced nothing stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_is_taken_while_another_one_is_tried() {
    let stage = Stage::new().await;
    let known = |id: char, opens: &str| {
        let id = id.to_string().repeat(40);
        stage.application.add_as(&id, opens, None);
    };
    let (old, opens) = key_file('a');
    known('a', &opens);
    let process = stage.start(Arc::default());
    let tenant = common::tenant(&process.app, "Acme").await;
    let new = New {
        name: "google".to_owned(),
        cloud: Some("gcp".to_owned()),
        method: Some("service-account-key".to_owned()),
        service_account_key: Some(old),
        ..New::default()
    };
    let connection = connected_by(&process, &tenant, new).await;
    assert_eq!(connection.target.secret_key_id(), Some(&*"a".repeat(40)));

    // Nobody tries anything meanwhile.
    let app = process.app.clone();
    process.stop().await;
    let entering = async |file: Plain| {
        let new = Rotate {
            service_account_key: Some(file),
            ..Rotate::default()
        };
        enter(&app, &tenant, &connection, new).await
    };
    // Nobody made the first one known.
    let (unknown, _) = key_file('b');
    let shown = entering(unknown).await.unwrap();
    assert!(matches!(
        shown.rotation.map(|rotation| rotation.step),
        Some(RotationStep::Trying { .. })
    ));
    let (right, opens) = key_file('c');
    known('c', &opens);
    entering(right).await.unwrap();
    let process = stage.start(Arc::default());
    eventually("the second one is used", async || {
        let shown = process.show(&tenant, &connection).await;
        shown.target.secret_key_id() == Some(&*"c".repeat(40))
    })
    .await;
    let organization = tenant.admin.actor.organization_id();
    eventually("the others are forgotten", async || {
        stage.store.secrets(organization).await.unwrap().len() == 1
    })
    .await;
    process.stop().await;
}
