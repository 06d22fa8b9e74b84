//! Renewing a client secret, step by step, and what is left of one after a
//! move to another method.

use crate::support::{TestClock, change, check, customer::Made, scene::Scene, scene::verify};
use landfall_model::{
    Clock as _,
    check::Outcome,
    connection::{AzureAccess, Connection, State, Target},
    connector::{Detection, HeldSecret},
    driver::FailureKind,
    grant::Identity,
};
use serde_json::json;

const DAY: i64 = 24 * 60 * 60 * 1_000;
const OWNED: &str = "18a4783c-866b-4cc7-a460-3d5e5662c884";

fn named<'s>(all: &'s [HeldSecret], name: &str) -> Vec<&'s HeldSecret> {
    all.iter()
        .filter(|one| one.name.as_deref() == Some(name))
        .collect()
}

fn used(all: &[HeldSecret]) -> Vec<&str> {
    all.iter()
        .filter(|one| one.in_use)
        .map(|one| one.key_id.as_str())
        .collect()
}

/// The connection as it is once a secret was taken into use.
fn with_secret(scene: &Scene, connection: &Connection, text: &str, key_id: &str) -> Connection {
    let mut with = connection.clone();
    scene.replace_secret(&mut with, text);
    change(&mut with, |azure| {
        if let AzureAccess::ClientSecret { secret_key_id, .. } = &mut azure.access {
            *secret_key_id = Some(key_id.to_owned());
        }
    });
    with
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_replaced_and_one_works_at_any_time() {
    let scene = Scene::new().await;
    let connector = scene.by_secret(true);
    let (connection, made) = scene.by_key(10, false).await;
    scene.let_rotate(&made).await;
    let found = verify(connector.as_ref(), &connection).await;
    assert!(found.can_rotate);
    let rotates = check(&found, "azure.secret-rotates");
    assert_eq!(rotates.outcome, Outcome::Pass, "{rotates:?}");
    let expiry = check(&found, "azure.secret-expiry");
    assert!(expiry.evidence.contains("14 days' warning"), "{expiry:?}");
    let old = found.secret.expect("Graph shows it");
    assert!(old.in_use && old.expires_at.is_some());
    assert_eq!(old.name.as_deref(), Some("landfall"));

    // Twice under one name, as when the answer to the first got lost.
    let name = "landfall-rotation-1";
    let until = TestClock.now().plus_millis(300 * DAY);
    let lost = connector
        .add_secret(&connection, name, until)
        .await
        .unwrap();
    let kept = connector
        .add_secret(&connection, name, until)
        .await
        .unwrap();
    assert_ne!(lost.key_id, kept.key_id);
    assert!(!format!("{kept:?}").contains(kept.plain.expose_text().unwrap()));
    let ends = kept.expires_at.expect("Graph says it");
    assert!(ends.millis_since(until).abs() < 1_000, "{ends} {until}");
    let all = connector.secrets(&connection).await.unwrap();
    assert_eq!(named(&all, name).len(), 2);
    assert_eq!(used(&all), [old.key_id.as_str()]);
    connector
        .remove_secret(&connection, &lost.key_id)
        .await
        .unwrap();
    let all = connector.secrets(&connection).await.unwrap();
    assert_eq!(named(&all, name)[0].key_id, kept.key_id);
    assert_eq!(all.len(), 2);

    // The one in use is not removed by its own session.
    let failure = connector
        .remove_secret(&connection, &old.key_id)
        .await
        .unwrap_err();
    assert_eq!(failure.code, "SecretInUse");

    let next = with_secret(
        &scene,
        &connection,
        kept.plain.expose_text().unwrap(),
        &kept.key_id,
    );
    assert_eq!(connector.detect(&next).await, Detection::Granted);
    let all = connector.secrets(&next).await.unwrap();
    assert_eq!(used(&all), [kept.key_id.as_str()]);
    // Removing what is gone succeeds.
    for _ in 0..2 {
        connector.remove_secret(&next, &old.key_id).await.unwrap();
    }
    let all = connector.secrets(&next).await.unwrap();
    assert_eq!(all.len(), 1);
    let found = connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    let found = verify(connector.as_ref(), &next).await;
    let expiry = check(&found, "azure.secret-expiry");
    assert_eq!(expiry.outcome, Outcome::Pass, "{expiry:?}");
    assert_eq!(found.secret.unwrap().key_id, kept.key_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_secret_is_not_known_everywhere_at_once() {
    let scene = Scene::new().await;
    let connector = scene.by_secret(false);
    let (mut connection, made) = scene.by_key(10, false).await;
    scene.let_rotate(&made).await;
    let lag = json!({"secret_lag_seconds": 60});
    scene.admin("azure/settings", &lag).await;
    let until = TestClock.now().plus_millis(300 * DAY);
    let made = connector
        .add_secret(&connection, "landfall-rotation-2", until)
        .await
        .unwrap();
    let mut next = with_secret(
        &scene,
        &connection,
        made.plain.expose_text().unwrap(),
        &made.key_id,
    );
    let Detection::Refused { evidence } = connector.detect(&next).await else {
        panic!("it is too early");
    };
    assert!(evidence.contains("AADSTS7000215"), "{evidence}");
    // A connection that was seen to work and may be settling says so.
    let now = TestClock.now();
    next.state = State::Propagating {
        since: now,
        deadline: now.plus_millis(60_000),
    };
    let found = verify(connector.as_ref(), &next).await;
    let accepted = check(&found, "azure.secret-accepted");
    assert_eq!(accepted.outcome, Outcome::Propagating, "{accepted:?}");
    // The old one still works.
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    scene.admin("clock", &json!({"advance_seconds": 61})).await;
    assert_eq!(connector.detect(&next).await, Detection::Granted);
    // Somebody entered another secret by hand: the id from before is no guide.
    change(&mut connection, |azure| {
        if let AzureAccess::ClientSecret { secret_key_id, .. } = &mut azure.access {
            *secret_key_id = Some(made.key_id.clone());
        }
    });
    let all = connector.secrets(&connection).await.unwrap();
    assert_ne!(used(&all), [made.key_id.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_rotate_says_what_is_missing() {
    let scene = Scene::new().await;
    let connector = scene.by_secret(false);
    let (connection, made) = scene.by_key(300, false).await;
    let until = TestClock.now().plus_millis(300 * DAY);
    let refused = async |may_list: bool| {
        let failure = connector
            .add_secret(&connection, "landfall-rotation-3", until)
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Denied, "{failure:?}");
        for says in ["Application.ReadWrite.OwnedBy", "owner"] {
            assert!(failure.message.contains(says), "{failure}");
        }
        let listed = connector.secrets(&connection).await;
        match listed {
            Ok(all) => assert!(may_list && all.len() == 1, "{all:?}"),
            Err(failure) => {
                assert!(!may_list);
                assert_eq!(failure.kind, FailureKind::Denied, "{failure:?}");
            }
        }
    };
    let found = verify(connector.as_ref(), &connection).await;
    let rotates = check(&found, "azure.secret-rotates");
    assert_eq!(rotates.outcome, Outcome::Skipped);
    assert!(rotates.evidence.contains("left out"), "{rotates:?}");
    assert!(rotates.remedy.contains("admin consent"), "{rotates:?}");
    assert!(!found.can_rotate && found.secret.is_none());
    refused(false).await;

    scene.permit(&made, OWNED).await;
    let found = verify(connector.as_ref(), &connection).await;
    let rotates = check(&found, "azure.secret-rotates");
    assert_eq!(rotates.outcome, Outcome::Warn);
    assert!(rotates.remedy.contains(&made.principal), "{rotates:?}");
    assert!(!found.can_rotate);
    // It may read itself, though.
    assert!(found.secret.is_some());
    refused(true).await;
    let old = found.secret.unwrap().key_id;
    let other = scene.add_secret(&made, 20).await;
    let next = with_secret(&scene, &connection, &other, "not known");
    let failure = connector.remove_secret(&next, &old).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Denied, "{failure:?}");

    scene.own_itself(&made).await;
    let found = verify(connector.as_ref(), &connection).await;
    assert!(found.can_rotate);
    let permissions = check(&found, "azure.graph-permissions");
    assert_eq!(permissions.outcome, Outcome::Pass, "{permissions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_graph_does_not_make_two_secrets_of_one() {
    let scene = Scene::new().await;
    let connector = scene.by_secret(false);
    let (connection, made) = scene.by_key(300, false).await;
    scene.let_rotate(&made).await;
    let until = TestClock.now().plus_millis(300 * DAY);
    // Made, and the answer lost: it is not asked again behind the caller's back.
    scene
        .admin(
            "faults",
            &json!({"kind": "lost_answer", "times": 1,
                "match": {"service": "graph", "operation": "POST addPassword"}}),
        )
        .await;
    let failure = connector
        .add_secret(&connection, "landfall-rotation-4", until)
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unavailable, "{failure:?}");
    let all = connector.secrets(&connection).await.unwrap();
    let orphans = named(&all, "landfall-rotation-4");
    assert_eq!(orphans.len(), 1, "found by its name");
    // Looking and removing may be repeated, and are.
    scene.fault("throttle", "graph", 2).await;
    connector
        .remove_secret(&connection, &orphans[0].key_id)
        .await
        .unwrap();
    scene.no_faults().await;
    assert_eq!(connector.secrets(&connection).await.unwrap().len(), 1);
}

/// What the connection is after it moved to workload-identity.
fn moved(old: &Connection, made: &Made) -> Connection {
    let mut connection = old.clone();
    connection.left_behind = Some(old.target.clone());
    change(&mut connection, |azure| {
        azure.access = AzureAccess::WorkloadIdentity {
            client_id: Some(made.client.parse().unwrap()),
        };
    });
    connection
}

fn key_known(connection: &mut Connection, key_id: &str) {
    let Some(Target::Azure(old)) = &mut connection.left_behind else {
        panic!("nothing was left behind");
    };
    if let AzureAccess::ClientSecret { secret_key_id, .. } = &mut old.access {
        *secret_key_id = Some(key_id.to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_left_behind_is_asked_for_until_it_is_gone() {
    const ID: &str = "azure.old-secret-removed";
    let scene = Scene::new().await;
    let by_secret = scene.by_secret(true);
    let (old, made) = scene.by_key(300, false).await;
    scene.let_rotate(&made).await;
    let secret = verify(by_secret.as_ref(), &old).await.secret.unwrap();
    let mut connection = moved(&old, &made);
    let removed = async |connection: &Connection| {
        let found = scene.verify(connection).await;
        let check = check(&found, ID).clone();
        assert_eq!(
            found.left_behind_gone,
            check.outcome == Outcome::Pass,
            "{check:?}"
        );
        (found, check)
    };
    for known in [false, true] {
        if known {
            key_known(&mut connection, &secret.key_id);
        }
        let (found, check) = removed(&connection).await;
        assert_eq!(check.outcome, Outcome::Warn, "{check:?}");
        assert!(check.evidence.contains(&secret.key_id), "{check:?}");
        assert!(check.remedy.contains("credential delete"), "{check:?}");
        // What the look needs is not complained about meanwhile.
        let permissions = crate::support::check(&found, "azure.graph-permissions");
        assert_eq!(permissions.outcome, Outcome::Pass, "{permissions:?}");
    }
    // Another one of the same application is not ours to worry about, once it
    // is known which was.
    scene.add_secret(&made, 100).await;
    let admin = scene.administrator().await;
    let path = format!("/v1.0/applications/{}/removePassword", made.application);
    admin
        .must("POST", &path, json!({"keyId": secret.key_id}))
        .await;
    let (_, check) = removed(&connection).await;
    assert_eq!(check.outcome, Outcome::Pass, "{check:?}");

    // Nothing left behind: nothing is asked, and the permission is too much.
    connection.left_behind = None;
    let found = scene.verify(&connection).await;
    assert!(found.checks.iter().all(|check| check.id != ID));
    let permissions = crate::support::check(&found, "azure.graph-permissions");
    assert_eq!(permissions.outcome, Outcome::Warn);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_graph_does_not_show_of_an_old_secret_is_said() {
    const ID: &str = "azure.old-secret-removed";
    let scene = Scene::new().await;
    let (old, old_application) = scene.by_key(300, false).await;
    // Moved to an application of its own, as a new script makes it.
    let mut connection = scene.connection();
    connection.with_reaper = false;
    let grant = scene.grant(&mut connection).await;
    let mut connection = Connection {
        left_behind: Some(old.target.clone()),
        ..connection
    };
    crate::support::connected(&mut connection);
    let found = scene.verify(&connection).await;
    let removed = check(&found, ID);
    assert_eq!(removed.outcome, Outcome::Warn);
    assert!(removed.evidence.contains("not visible"), "{removed:?}");
    assert!(
        removed.remedy.contains(&old_application.client),
        "{removed:?}"
    );
    assert!(!found.left_behind_gone);
    // That a whole application is gone is seen without any permission.
    let path = format!("/v1.0/applications/{}", old_application.application);
    scene
        .administrator()
        .await
        .must("DELETE", &path, json!(null))
        .await;
    let found = scene.verify(&connection).await;
    let removed = check(&found, ID);
    assert_eq!(removed.outcome, Outcome::Pass, "{removed:?}");
    assert!(found.left_behind_gone);
    assert!(grant.contains_key(&Identity::Provisioner));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_have_no_secrets() {
    let scene = Scene::new().await;
    let connection = scene.connection();
    let failure = scene.connector.secrets(&connection).await.unwrap_err();
    assert_eq!(failure.code, "NotOfThisMethod");
    let until = TestClock.now().plus_millis(DAY);
    let failure = scene
        .connector
        .add_secret(&connection, "x", until)
        .await
        .unwrap_err();
    assert_eq!(failure.code, "NotOfThisMethod");
    let failure = scene.connector.remove_secret(&connection, "x").await;
    assert_eq!(failure.unwrap_err().code, "NotOfThisMethod");
}
