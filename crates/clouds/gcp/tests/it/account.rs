//! Connecting by `impersonation`.

use crate::support::{
    REGION, Scene, check, connection_by, gcp,
    ways::{Way, write_private},
    worse,
};
use axum::{Json, Router, extract::Request, routing::get};
use landfall_gcp::{GcpConfig, GcpConnector, OperatorConfig};
use landfall_model::{
    Clock as _,
    check::Outcome,
    connection::{Connection, GcpAccess, Method, State, Target},
    connector::{Availability, Connector as _, Detection},
    driver::FailureKind,
    entropy::SystemEntropy,
    grant::{GcpIdentity, ServerPrincipal},
};
use landfall_sandbox::Config;
use serde_json::json;
use std::{
    collections::BTreeSet, os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc,
    time::Duration,
};

fn ours(connection: &Connection) -> String {
    match connection.gcp().unwrap().access() {
        GcpAccess::Impersonation {
            service_account: Some(email),
        } => email.clone(),
        other => panic!("{other:?}"),
    }
}

async fn plain() -> Scene {
    Scene::by(Way::Account, Config::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_connection_passes_every_check() {
    let scene = plain().await;
    let connector = &scene.connector;
    assert_eq!(connector.method(), Method::Impersonation);
    assert_eq!(connector.availability().await, Availability::Available);
    let ServerPrincipal::GoogleServiceAccount { email } = connector.principal().await.unwrap()
    else {
        panic!("a service account");
    };
    assert_eq!(email, scene.operator.email("landfall-server"));
    let (mut connection, spec) = scene.granted().await;
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    let found = scene.verify(&connection, &spec).await;
    assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
    let ids: BTreeSet<&str> = found.checks.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(ids.len(), found.checks.len(), "an id stands twice");
    assert!(ids.len() >= 40, "{ids:?}");
    for check in &found.checks {
        let said = format!("{check:?}");
        assert!(!said.contains("eyJ") && !said.contains("ya29."), "{said}");
    }
    connection.state = State::Connected {
        since: scene.clock.now(),
    };
    connection.grant_digest = found.grant_digest.clone();
    let again = scene.verify(&connection, &spec).await;
    assert!(worse(&again).is_empty(), "{:#?}", worse(&again));
    assert_eq!(again.grant_digest, found.grant_digest);
    let regions = connector.regions(&connection).await.unwrap();
    assert!(regions.iter().any(|region| region.name == REGION));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_not_detected() {
    let scene = plain().await;
    let mut connection = scene.pending().await;
    let found = scene.connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    connection.state = State::Connected {
        since: scene.clock.now(),
    };
    let spec = scene.spec(&connection).await;
    let found = scene.verify(&connection, &spec).await;
    assert!(found.refused);
    let refused = check(&found, "gcp.provisioner-impersonated");
    assert_eq!(refused.outcome, Outcome::Fail);
    // Nobody can be said to be kept out where nobody is let in.
    let others = check(&found, "gcp.other-accounts-refused");
    assert_eq!(others.outcome, Outcome::Skipped);
}

/// The confused deputy: another organization of this server enters a project
/// that is connected already.
#[tokio::test(flavor = "multi_thread")]
async fn another_connection_to_the_same_project_is_refused() {
    let scene = plain().await;
    let (victim, spec) = scene.connected().await;
    let mut thief = scene.pending().await;
    assert_ne!(victim.organization_id, thief.organization_id);
    assert_ne!(ours(&victim), ours(&thief));
    let found = scene.connector.detect(&thief).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");

    // With the thief's own account at the victim's.
    let customer = &scene.customer;
    let operator = &scene.operator;
    let path = format!(
        "v1/projects/{}/serviceAccounts/{}:setIamPolicy",
        operator.project,
        ours(&thief)
    );
    let admin = json!({ "policy": { "bindings": [{
        "role": "roles/iam.serviceAccountTokenCreator",
        "members": ["user:admin@operator.example"],
    }] } });
    operator.post("iam", &path, admin).await.ok();
    let token = operator.act_as(&operator.token, &ours(&thief)).await.ok();
    let token = token["accessToken"].as_str().unwrap();
    for identity in GcpIdentity::ALL {
        let email = &gcp(&spec).account(identity).unwrap().email;
        let said = customer.act_as(token, email).await;
        assert_eq!(said.status, 403, "{said:?}");
    }

    // And with the victim's account written into the thief's connection.
    let Target::Gcp(target) = &mut thief.target else {
        panic!("Google Cloud");
    };
    target.access = GcpAccess::Impersonation {
        service_account: Some(ours(&victim)),
    };
    let found = scene.connector.detect(&thief).await;
    let Detection::Unreachable { evidence } = found else {
        panic!("{found:?}");
    };
    assert!(
        evidence.contains("not made for this connection"),
        "{evidence}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn preparing_repeats_and_releasing_takes_away() {
    let scene = plain().await;
    let connection = scene.pending().await;
    let email = ours(&connection);
    let again = scene.connector.prepare(&connection).await.unwrap();
    assert_eq!(again, connection.target);
    // Somebody added another member, and deleted ours: both are put right.
    let path = format!(
        "v1/projects/{}/serviceAccounts/{email}",
        scene.operator.project
    );
    let policy = json!({ "policy": { "bindings": [
        { "role": "roles/iam.serviceAccountTokenCreator", "members": ["allUsers"] },
    ] } });
    let set = format!("{path}:setIamPolicy");
    scene.operator.post("iam", &set, policy).await.ok();
    scene.connector.prepare(&connection).await.unwrap();
    let read = format!("{path}:getIamPolicy?options.requestedPolicyVersion=3");
    let policy = scene.operator.post("iam", &read, json!({})).await.ok();
    let server = scene.operator.email("landfall-server");
    assert_eq!(
        policy["bindings"],
        json!([{
            "role": "roles/iam.serviceAccountTokenCreator",
            "members": [format!("serviceAccount:{server}")],
        }])
    );

    for _ in 0..2 {
        scene.connector.release(&connection).await.unwrap();
    }
    let spec = scene.spec(&connection).await;
    let found = scene.verify(&connection, &spec).await;
    let gone = check(&found, "gcp.token-accepted");
    assert_eq!(gone.outcome, Outcome::Unanswered, "{gone:?}");
    // It can be made anew.
    let target = scene.connector.prepare(&connection).await.unwrap();
    assert_eq!(target, connection.target);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_that_name_that_is_not_ours_is_left_alone() {
    let scene = plain().await;
    let access = GcpAccess::Impersonation {
        service_account: None,
    };
    let connection = connection_by(&scene.customer.project, access, scene.clock.now());
    let id = connection.gcp().unwrap().server_account_id();
    scene.operator.make_account(&id).await;
    let failure = scene.connector.prepare(&connection).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Invalid, "AnothersAccount")
    );
    assert!(scene.connector.release(&connection).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_got_lost_makes_no_second_account() {
    for operation in [
        "iam.projects.serviceAccounts.create",
        "iam.projects.serviceAccounts.setIamPolicy",
    ] {
        let scene = plain().await;
        let fault = json!({
            "kind": "lost_answer", "match": { "operation": operation }, "times": 1,
        });
        scene.admin("faults", fault).await;
        let (connection, spec) = scene.granted().await;
        let found = scene.verify(&connection, &spec).await;
        assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
        assert!(ours(&connection).starts_with("lf-"));
    }
}

fn connector(scene: &Scene, operator: Option<OperatorConfig>) -> GcpConnector {
    let config = GcpConfig {
        endpoint_template: scene.template.clone(),
        operator,
        ..GcpConfig::default()
    };
    GcpConnector::impersonation(config, scene.clock.clone(), Arc::new(SystemEntropy)).unwrap()
}

fn operator(scene: &Scene, file: Option<PathBuf>) -> OperatorConfig {
    OperatorConfig {
        project_id: scene.operator.project.parse().unwrap(),
        metadata: file.is_none(),
        credentials_file: file,
        metadata_url: "http://metadata.google.internal".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_identity_of_the_operator_it_is_not_offered() {
    let scene = plain().await;
    let good = std::fs::read(scene.folder.path().join("operator.json")).unwrap();
    let path = scene.folder.path().join("other.json");
    let reason = async |connector: &GcpConnector| match connector.availability().await {
        Availability::Unavailable { reason, next_step } => {
            assert!(next_step.contains("clouds.gcp.operator"), "{next_step}");
            reason
        }
        Availability::Available => panic!("it is available"),
    };
    let none = connector(&scene, None);
    assert!(reason(&none).await.contains("no Google identity"));
    assert!(none.principal().await.is_err());

    let by_file = connector(&scene, Some(operator(&scene, Some(path.clone()))));
    assert!(reason(&by_file).await.contains("other.json"));
    write_private(&path, b"{}");
    assert!(reason(&by_file).await.contains("has no 'type'"));
    write_private(&path, &good);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(reason(&by_file).await.contains("mode 0600"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(by_file.availability().await, Availability::Available);
}

/// A machine of Google's has an identity without any key.
#[tokio::test(flavor = "multi_thread")]
async fn the_machine_can_be_the_identity() {
    let scene = plain().await;
    let server = scene.operator.email("landfall-server");
    let path = format!(
        "v1/projects/{}/serviceAccounts/{server}:setIamPolicy",
        scene.operator.project
    );
    let policy = json!({ "policy": { "bindings": [{
        "role": "roles/iam.serviceAccountTokenCreator",
        "members": ["user:admin@operator.example"],
    }] } });
    scene.operator.post("iam", &path, policy).await.ok();
    let token = scene
        .operator
        .act_as(&scene.operator.token, &server)
        .await
        .ok();
    let token = token["accessToken"].as_str().unwrap().to_owned();
    let about = json!({ "email": server });
    let token = json!({ "access_token": token, "expires_in": 3599, "token_type": "Bearer" });
    let answer = |body: serde_json::Value| {
        get(async move |request: Request| {
            // Without it, a page of somebody else could ask.
            let asked = request.headers().get("metadata-flavor");
            assert_eq!(asked.unwrap(), "Google");
            Json(body)
        })
    };
    const ACCOUNT: &str = "/computeMetadata/v1/instance/service-accounts/default";
    let router = Router::new()
        .route(&format!("{ACCOUNT}/"), answer(about))
        .route(&format!("{ACCOUNT}/token"), answer(token));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut config = operator(&scene, None);
    config.metadata_url = url;
    let connector = connector(&scene, Some(config));
    assert_eq!(connector.availability().await, Availability::Available);
    let connection = scene.pending().await;
    assert_eq!(
        connector.prepare(&connection).await.unwrap(),
        connection.target
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_counts_only_after_the_deadline() {
    let config = Config {
        iam_lag: Duration::from_secs(400),
        ..Config::default()
    };
    let scene = Scene::by(Way::Account, config).await;
    let mut connection = scene.pending().await;
    let spec = scene.spec(&connection).await;
    // The operator's own account has to settle too.
    scene.clock.sleep(Duration::from_secs(401)).await;
    scene.customer.grant(gcp(&spec), None).await;
    let now = scene.clock.now();
    for (deadline, outcome) in [(600_000, Outcome::Propagating), (0, Outcome::Fail)] {
        connection.state = State::Propagating {
            since: now,
            deadline: now.plus_millis(deadline),
        };
        let found = scene.verify(&connection, &spec).await;
        let one = check(&found, "gcp.provisioner-impersonated");
        assert_eq!(one.outcome, outcome, "{one:?}");
    }
}

/// A token that died before its time is not used again.
#[tokio::test(flavor = "multi_thread")]
async fn the_operators_account_that_was_off_for_a_while_works_again() {
    let scene = plain().await;
    let (connection, spec) = scene.connected().await;
    let server = scene.operator.email("landfall-server");
    for disabled in [true, false] {
        let body = json!({ "email": server, "disabled": disabled });
        scene.admin("gcp/service-account", body).await;
        let found = scene.verify(&connection, &spec).await;
        let one = check(&found, "gcp.token-accepted");
        assert!(!found.refused);
        if disabled {
            assert_ne!(one.outcome, Outcome::Pass, "{one:?}");
            assert!(found.checks.iter().all(|one| one.outcome != Outcome::Fail));
        } else {
            assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
        }
    }
}
