//! What is new is not known everywhere at once; what is busy answers later.

use crate::support::{
    TestClock, check, connected,
    scene::{Scene, spec},
    with,
};
use landfall_model::{
    Clock as _,
    check::Outcome,
    connection::{Connection, State},
    connector::Detection,
    grant::Identity,
};

fn propagating(connection: &mut Connection, for_millis: i64) {
    let now = TestClock.now();
    connection.state = State::Propagating {
        since: now,
        deadline: now.plus_millis(for_millis),
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_federated_credential_counts_only_after_the_deadline() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    scene.lags(120).await;
    scene.grant(&mut connection).await;
    let found = scene.connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    for (for_millis, outcome) in [(60_000, Outcome::Propagating), (-1, Outcome::Fail)] {
        propagating(&mut connection, for_millis);
        let found = scene.verify(&connection).await;
        let accepted = check(&found, "azure.token-accepted.provisioner");
        assert_eq!(accepted.outcome, outcome, "{accepted:?}");
        assert!(accepted.evidence.contains("AADSTS70021"), "{accepted:?}");
    }
    scene
        .admin("clock", &serde_json::json!({"advance_seconds": 121}))
        .await;
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Granted
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_role_assignment_counts_only_after_the_deadline() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    let grant = scene.grant(&mut connection).await;
    // Assigned anew: not in force for a while.
    let lag = serde_json::json!({"role_assignment_lag_seconds": 600});
    scene.admin("azure/settings", &lag).await;
    let admin = scene.administrator().await;
    let spec = spec(&connection);
    for role in &spec.azure().unwrap().roles {
        scene.assign(&admin, role, &grant).await;
    }
    for (for_millis, outcome) in [(60_000, Outcome::Propagating), (-1, Outcome::Fail)] {
        propagating(&mut connection, for_millis);
        let found = scene.verify(&connection).await;
        let role = check(&found, "azure.role-assigned.provisioner");
        assert_eq!(role.outcome, outcome, "{role:?}");
        assert!(role.evidence.contains("AuthorizationFailed"), "{role:?}");
        // That a token is given is known already.
        let accepted = check(&found, "azure.token-accepted.provisioner");
        assert_eq!(accepted.outcome, Outcome::Pass);
    }
    assert!(grant.contains_key(&Identity::Reaper));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_id_is_no_propagation() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    scene.grant(&mut connection).await;
    crate::support::change(&mut connection, |azure| {
        azure.tenant_id = crate::support::customer::guid().parse().unwrap();
    });
    // Still pending: even so, it is said at once.
    let found = scene.verify(&connection).await;
    let tenant = check(&found, "azure.tenant-found");
    assert_eq!(tenant.outcome, Outcome::Fail, "{tenant:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_is_asked_again_and_in_the_end_unanswered() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    scene.grant(&mut connection).await;
    connected(&mut connection);
    for service in ["entra", "arm", "graph"] {
        scene.fault("throttle", service, 3).await;
        scene.fault("http_500", service, 1).await;
    }
    let found = scene.verify(&connection).await;
    assert_eq!(with(&found, Outcome::Fail), [""; 0], "patience was enough");
    assert_eq!(with(&found, Outcome::Unanswered), [""; 0]);

    for (service, id) in [
        ("entra", "azure.token-accepted.provisioner"),
        ("arm", "azure.role-assigned.provisioner"),
    ] {
        scene.fault("throttle", service, 10_000).await;
        let found = scene.verify(&connection).await;
        assert_eq!(check(&found, id).outcome, Outcome::Unanswered, "{service}");
        assert_eq!(with(&found, Outcome::Fail), [""; 0], "{service}");
        assert!(!found.refused, "{service}");
        scene.no_faults().await;
    }
}
