//! A cloud that is busy, late or out of reach says nothing about the grant.

use crate::support::{Scene, check, gcp, ways::Way, worse};
use landfall_gcp::IssuerKeys;
use landfall_model::{
    Clock as _,
    check::Outcome,
    connection::State,
    connector::{Connector as _, Detection},
};
use landfall_sandbox::Config;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_project_is_unanswered_and_never_a_failure() {
    let scene = Scene::new().await;
    let (connection, spec) = scene.connected().await;
    let fault = json!({
        "kind": "throttle",
        "match": { "service": "sts.googleapis.com" },
        "times": 10_000,
    });
    scene.admin("faults", fault).await;
    let found = scene.verify(&connection, &spec).await;
    assert!(!found.refused);
    assert_eq!(
        check(&found, "gcp.token-accepted").outcome,
        Outcome::Unanswered
    );
    assert!(
        found
            .checks
            .iter()
            .all(|check| check.outcome != Outcome::Fail),
        "{:#?}",
        worse(&found)
    );
    let found = scene.connector.detect(&connection).await;
    assert!(matches!(found, Detection::Unreachable { .. }), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_other_ways_it_is_unanswered_too() {
    for (way, service, id) in [
        (Way::Key, "oauth2", "gcp.key-accepted"),
        (Way::Account, "iamcredentials", "gcp.token-accepted"),
    ] {
        let scene = Scene::by(way, Config::default()).await;
        let (connection, spec) = scene.connected().await;
        let fault = json!({
            "kind": "throttle",
            "match": { "service": format!("{service}.googleapis.com") },
            "times": 10_000,
        });
        scene.admin("faults", fault).await;
        let found = scene.verify(&connection, &spec).await;
        assert!(!found.refused);
        assert_eq!(check(&found, id).outcome, Outcome::Unanswered);
        assert!(found.checks.iter().all(|one| one.outcome != Outcome::Fail));
        let found = scene.connector.detect(&connection).await;
        assert!(matches!(found, Detection::Unreachable { .. }), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_little_throttling_is_waited_out() {
    for way in [Way::Federation(IssuerKeys::Fetched), Way::Key, Way::Account] {
        waits(&Scene::by(way, Config::default()).await).await;
    }
}

async fn waits(scene: &Scene) {
    let (connection, spec) = scene.granted().await;
    for service in [
        "oauth2",
        "sts",
        "iam",
        "cloudresourcemanager",
        "serviceusage",
    ] {
        let fault = json!({
            "kind": "throttle",
            "match": { "service": format!("{service}.googleapis.com") },
            "times": 3,
        });
        scene.admin("faults", fault).await;
    }
    let found = scene.verify(&connection, &spec).await;
    assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
}

/// Both batches are looked at before anything is switched on; the second is
/// looked at again.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_failed_is_made_again_after_the_first_batch() {
    let scene = Scene::new().await;
    let (connection, spec) = scene.connected().await;
    let fault = json!({
        "kind": "fail",
        "code": "PERMISSION_DENIED",
        "match": { "operation": "serviceusage.services.batchGet" },
        "times": 2,
    });
    scene.admin("faults", fault).await;
    let found = scene.verify(&connection, &spec).await;
    for (id, outcome) in [
        ("gcp.apis-switched-on.free", Outcome::Fail),
        ("gcp.apis-switched-on.billed", Outcome::Pass),
        ("gcp.api-enabled.run", Outcome::Pass),
    ] {
        let one = check(&found, id);
        assert_eq!(one.outcome, outcome, "{one:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_google_cannot_reach_is_no_revocation() {
    let scene = Scene::new().await;
    let (connection, spec) = scene.connected().await;
    scene.reachable(false).await;
    let found = scene.connector.detect(&connection).await;
    assert!(matches!(found, Detection::Unreachable { .. }), "{found:?}");
    let found = scene.verify(&connection, &spec).await;
    assert!(!found.refused);
    assert_eq!(
        check(&found, "gcp.token-accepted").outcome,
        Outcome::Unanswered
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_counts_only_after_the_deadline() {
    let config = Config {
        iam_lag: Duration::from_secs(400),
        ..Config::default()
    };
    let scene = Scene::with(config, IssuerKeys::Fetched).await;
    let mut connection = scene.connection();
    let spec = scene.spec(&connection).await;
    scene.customer.grant(gcp(&spec), None).await;
    scene.clock.sleep(Duration::from_secs(30)).await;
    let now = scene.clock.now();
    connection.state = State::Propagating {
        since: now,
        deadline: now.plus_millis(600_000),
    };
    let found = scene.verify(&connection, &spec).await;
    let early = check(&found, "gcp.provisioner-impersonated");
    assert_eq!(early.outcome, Outcome::Propagating, "{early:?}");
    connection.state = State::Propagating {
        since: now,
        deadline: now,
    };
    let found = scene.verify(&connection, &spec).await;
    let late = check(&found, "gcp.provisioner-impersonated");
    assert_eq!(late.outcome, Outcome::Fail, "{late:?}");

    // Settled: the accounts' trust; then what Landfall itself binds, which
    // takes as long again.
    connection.state = State::Propagating {
        since: now,
        deadline: now.plus_millis(3_600_000),
    };
    scene.clock.sleep(Duration::from_secs(401)).await;
    let found = scene.verify(&connection, &spec).await;
    let permissions = check(&found, "gcp.permissions.network");
    assert_eq!(permissions.outcome, Outcome::Propagating, "{permissions:?}");
    scene.clock.sleep(Duration::from_secs(401)).await;
    let found = scene.verify(&connection, &spec).await;
    assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
}
