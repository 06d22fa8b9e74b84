//! Connecting by `workload-identity`.

use crate::support::{REGION, Scene, URL, check, connection, gcp, worse};
use landfall_gcp::IssuerKeys;
use landfall_model::{
    Clock as _,
    check::Outcome,
    connection::{Method, State},
    connector::{Availability, Connector as _, Detection},
    driver::FailureKind,
    grant::{GcpIdentity, Identity, ServerPrincipal},
    issuer::Issuer as _,
};
use landfall_sandbox::Config;
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_connection_passes_every_check() {
    let scene = Scene::new().await;
    assert_eq!(scene.connector.method(), Method::GcpWorkloadIdentity);
    assert_eq!(
        scene.connector.availability().await,
        Availability::Available
    );
    assert_eq!(
        scene.connector.principal().await.unwrap(),
        ServerPrincipal::Issuer { url: URL.into() }
    );
    let (mut connection, spec) = scene.granted().await;
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Granted
    );
    let found = scene.verify(&connection, &spec).await;
    let bad = worse(&found);
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(!found.refused);
    assert_eq!(found.grant_version, Some(gcp(&spec).version));
    let ids: BTreeSet<&str> = found.checks.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(ids.len(), found.checks.len(), "an id stands twice");
    assert!(ids.len() >= 40, "{ids:?}");
    for check in &found.checks {
        assert!(check.id.starts_with("gcp."), "{check:?}");
        let said = format!("{check:?}");
        assert!(!said.contains("eyJ") && !said.contains("ya29."), "{said}");
    }
    let bound = check(&found, "gcp.provisioner-bound");
    assert!(bound.evidence.starts_with("bound "), "{bound:?}");
    let switched = check(&found, "gcp.apis-switched-on.billed");
    assert!(switched.evidence.contains("run.googleapis.com"));

    // The same again: nothing is left to do, and nothing has changed.
    connection.state = State::Connected {
        since: scene.clock.now(),
    };
    connection.grant_digest = found.grant_digest.clone();
    let again = scene.verify(&connection, &spec).await;
    assert!(worse(&again).is_empty(), "{:#?}", worse(&again));
    assert_eq!(again.grant_digest, found.grant_digest);
    assert!(again.grant_digest.is_some());
    let bound = check(&again, "gcp.provisioner-bound");
    assert!(bound.evidence.contains(" has "), "{bound:?}");
    let switched = check(&again, "gcp.apis-switched-on.billed");
    assert!(switched.evidence.starts_with("all "), "{switched:?}");

    let regions = scene.connector.regions(&connection).await.unwrap();
    assert!(regions.iter().any(|region| region.name == REGION));
    let failure = scene
        .connector
        .provisioner(&connection, REGION)
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Invalid, "NotYet")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_not_detected() {
    let scene = Scene::new().await;
    let pending = scene.connection();
    let found = scene.connector.detect(&pending).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    let spec = scene.spec(&pending).await;
    let found = scene.verify(&pending, &spec).await;
    assert!(found.refused);
    // Pending: the customer has perhaps just run the setup.
    let accepted = check(&found, "gcp.token-accepted");
    assert_eq!(accepted.outcome, Outcome::Propagating);
    let skipped = check(&found, "gcp.token-subject-enforced");
    assert_eq!(skipped.outcome, Outcome::Skipped);

    let mut revoked = pending.clone();
    revoked.state = State::Connected {
        since: scene.clock.now(),
    };
    let found = scene.verify(&revoked, &spec).await;
    let accepted = check(&found, "gcp.token-accepted");
    assert_eq!(accepted.outcome, Outcome::Fail);
    assert!(accepted.remedy.contains(&scene.customer.project));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_must_be_entered_and_be_the_projects() {
    let scene = Scene::new().await;
    let unknown = connection(&scene.customer.project, None, scene.clock.now());
    let Detection::Refused { evidence } = scene.connector.detect(&unknown).await else {
        panic!("nobody can be let in without a number");
    };
    assert!(evidence.contains("enter the project number"), "{evidence}");
    let spec = scene.spec(&unknown).await;
    let found = scene.verify(&unknown, &spec).await;
    let known = check(&found, "gcp.project-number-known");
    assert_eq!(known.outcome, Outcome::Fail);
    assert!(known.remedy.contains("enter the project number"));
    assert_eq!(
        check(&found, "gcp.token-accepted").outcome,
        Outcome::Skipped
    );

    let wrong = connection(
        &scene.customer.project,
        Some("123456789012".parse().unwrap()),
        scene.clock.now(),
    );
    let found = scene.connector.detect(&wrong).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_grant_is_told_from_a_whole_one() {
    let scene = Scene::new().await;
    for (missing, identity) in [
        (Identity::Reaper, GcpIdentity::Reaper),
        (Identity::Provisioner, GcpIdentity::Provisioner),
    ] {
        let (connection, spec) = scene.granted().await;
        scene
            .customer
            .bind_account(gcp(&spec), identity, json!([]))
            .await;
        assert_eq!(
            scene.connector.detect(&connection).await,
            Detection::Partial { missing }
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_reaper_everything_else_passes() {
    let scene = Scene::new().await;
    let mut connection = scene.connection();
    connection.with_reaper = false;
    let spec = scene.spec(&connection).await;
    scene.customer.grant(gcp(&spec), None).await;
    scene.clock.sleep(std::time::Duration::from_secs(30)).await;
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Granted
    );
    let found = scene.verify(&connection, &spec).await;
    let bad: Vec<_> = worse(&found)
        .into_iter()
        .filter(|check| check.id != "gcp.reaper-impersonated")
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let left_out = check(&found, "gcp.reaper-impersonated");
    assert_eq!(left_out.outcome, Outcome::Skipped);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploaded_keys_need_no_reachable_issuer_and_are_watched() {
    let scene = Scene::with(Config::default(), IssuerKeys::Uploaded).await;
    let mut connection = scene.connection();
    let spec = scene.spec(&connection).await;
    let jwks = scene.issuer.jwks().await.unwrap();
    scene.customer.grant(gcp(&spec), Some(&jwks)).await;
    scene.clock.sleep(std::time::Duration::from_secs(30)).await;
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Granted
    );
    let found = scene.verify(&connection, &spec).await;
    assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
    let keys = check(&found, "gcp.provider-keys");
    assert!(keys.evidence.contains("which signs"), "{keys:?}");

    // Before a rotation the next key is published, and Google does not know it.
    scene.issuer.rotate().await.unwrap();
    let found = scene.verify(&connection, &spec).await;
    let keys = check(&found, "gcp.provider-keys");
    assert_eq!(keys.outcome, Outcome::Warn, "{keys:?}");
    assert!(keys.remedy.contains("before this server's rotation"));

    // Another server's keys: nothing that we sign is known.
    connection.state = State::Connected {
        since: scene.clock.now(),
    };
    let other = json!({ "keys": [{ "kty": "RSA", "alg": "RS256", "kid": "other", "e": "AQAB",
        "n": jwks["keys"][0]["n"].as_str().unwrap().replace('A', "B") }] });
    let provider = scene.customer.provider(gcp(&spec));
    scene
        .customer
        .patch(
            "iam",
            &format!("v1/{}?updateMask=oidc.jwksJson", &provider[3..]),
            json!({ "oidc": { "jwksJson": other.to_string() } }),
        )
        .await
        .ok();
    let found = scene
        .finds(
            &connection,
            &spec,
            "gcp.token-accepted",
            Outcome::Fail,
            "uploads the keys",
        )
        .await;
    assert!(found.refused);
}
