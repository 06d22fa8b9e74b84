//! Connecting by `service-account-key`.

use crate::support::{REGION, Scene, check, customer::Customer, gcp, ways::Way, worse};
use landfall_model::{
    Clock as _,
    check::Outcome,
    connection::{Connection, GcpAccess, Method, State, Target},
    connector::{Availability, Connector as _, Detection},
    grant::{GcpIdentity, ServerPrincipal},
    secret::parse_key,
};
use landfall_sandbox::Config;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

fn key_of(connection: &Connection) -> (String, String) {
    match connection.gcp().unwrap().access() {
        GcpAccess::ServiceAccountKey {
            service_account,
            key_id,
            ..
        } => (service_account.clone(), key_id.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn project_iam_admin_and_two_apis_are_enough() {
    let scene = Scene::by(Way::Key, Config::default()).await;
    let connector = &scene.connector;
    assert_eq!(connector.method(), Method::ServiceAccountKey);
    assert_eq!(connector.availability().await, Availability::Available);
    assert_eq!(
        connector.principal().await.unwrap(),
        ServerPrincipal::GivenKey
    );
    let (mut connection, spec) = scene.granted().await;
    let (email, key_id) = key_of(&connection);
    // There is nothing yet but the account of the key.
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    let found = scene.verify(&connection, &spec).await;
    let bad = worse(&found);
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(!found.refused && !found.can_rotate && !found.too_broad);
    assert_eq!(found.grant_version, Some(gcp(&spec).version));
    let ids: BTreeSet<&str> = found.checks.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(ids.len(), found.checks.len(), "an id stands twice");
    assert!(ids.len() >= 50, "{ids:?}");
    for check in &found.checks {
        let said = format!("{check:?}");
        for secret in ["eyJ", "ya29.", "PRIVATE"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    for (id, evidence) in [
        ("gcp.setup-authorized", "bound roles/"),
        ("gcp.role-made.bootstrap", "made "),
        ("gcp.account-made.reaper", "made "),
        ("gcp.trust-made.provisioner", "bound "),
        ("gcp.bindings-made", "bound "),
        ("gcp.key-account-narrowed", "two keys: yes"),
        ("gcp.key-lasts", "never expires"),
    ] {
        let check = check(&found, id);
        assert!(check.evidence.contains(evidence), "{check:?}");
    }
    let secret = found.secret.as_ref().expect("the key is listed");
    assert_eq!((&secret.key_id, secret.in_use), (&key_id, true));
    // Project IAM Admin, and what it gave itself, are gone.
    assert_eq!(scene.customer.roles_of(&email).await, [""; 0]);

    // The same again: nothing is left to do, and nothing has changed.
    connection.state = State::Connected {
        since: scene.clock.now(),
    };
    connection.grant_digest = found.grant_digest.clone();
    assert_eq!(connector.detect(&connection).await, Detection::Granted);
    let again = scene.verify(&connection, &spec).await;
    assert!(worse(&again).is_empty(), "{:#?}", worse(&again));
    assert!(again.grant_digest.is_some());
    assert_eq!(again.grant_digest, found.grant_digest);
    let narrowed = check(&again, "gcp.key-account-narrowed");
    assert!(narrowed.evidence.contains("two keys: yes"), "{narrowed:?}");
    let regions = connector.regions(&connection).await.unwrap();
    assert!(regions.iter().any(|region| region.name == REGION));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_reaper_none_is_made() {
    let scene = Scene::by(Way::Key, Config::default()).await;
    let mut connection = scene.pending().await;
    connection.with_reaper = false;
    let spec = scene.spec(&connection).await;
    scene.clock.sleep(Duration::from_secs(30)).await;
    let found = scene.verify(&connection, &spec).await;
    let bad: Vec<_> = worse(&found)
        .into_iter()
        .filter(|check| check.id != "gcp.reaper-impersonated")
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(
        found
            .checks
            .iter()
            .all(|check| check.id != "gcp.account-made.reaper")
    );
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Granted
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_nothing_is_not_detected() {
    let scene = Scene::by(Way::Key, Config::default()).await;
    let customer = &scene.customer;
    customer
        .enable(&["cloudresourcemanager", "serviceusage"])
        .await;
    let email = customer.make_account("any-name").await;
    let file = customer.make_key(&email).await;
    let key = parse_key(file.to_string().as_bytes(), None).unwrap();
    let mut connection = scene.by_key(&key);
    let spec = scene.spec(&connection).await;
    scene.clock.sleep(Duration::from_secs(30)).await;
    let found = scene.connector.detect(&connection).await;
    assert!(matches!(found, Detection::Refused { .. }), "{found:?}");
    let found = scene.verify(&connection, &spec).await;
    let possible = check(&found, "gcp.setup-possible");
    // Pending: the customer has perhaps just bound it.
    assert_eq!(possible.outcome, Outcome::Propagating);
    connection.state = State::Degraded {
        since: scene.clock.now(),
        failed_checks: Vec::new(),
    };
    scene
        .finds(
            &connection,
            &spec,
            "gcp.setup-possible",
            Outcome::Fail,
            "gives the account Project IAM Admin",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn iam_that_takes_its_time_is_waited_for_run_by_run() {
    let config = Config {
        iam_lag: Duration::from_secs(400),
        ..Config::default()
    };
    let scene = Scene::by(Way::Key, config).await;
    let mut connection = scene.pending().await;
    let spec = scene.spec(&connection).await;
    scene.clock.sleep(Duration::from_secs(401)).await;
    let (email, _) = key_of(&connection);
    // Even a connection in use that is set up again is not told that it fails.
    let now = scene.clock.now();
    connection.state = State::Propagating {
        since: now,
        deadline: now,
    };
    let table = [
        ("gcp.setup-authorized", Outcome::Propagating),
        ("gcp.bootstrap-impersonated", Outcome::Propagating),
        ("gcp.permissions.network", Outcome::Propagating),
    ];
    for (id, outcome) in table {
        assert_eq!(
            scene.connector.detect(&connection).await,
            Detection::Granted
        );
        let found = scene.verify(&connection, &spec).await;
        let one = check(&found, id);
        assert_eq!(one.outcome, outcome, "{one:?}");
        assert!(!found.refused, "{id}");
        assert!(
            found.checks.iter().all(|one| one.outcome != Outcome::Fail),
            "{id}: {:#?}",
            worse(&found)
        );
        scene.clock.sleep(Duration::from_secs(401)).await;
    }
    let found = scene.verify(&connection, &spec).await;
    assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
    assert_eq!(scene.customer.roles_of(&email).await, [""; 0]);
}

/// Every change that the setup makes, as the sandbox calls it.
const CHANGES: [&str; 8] = [
    "cloudresourcemanager.projects.setIamPolicy",
    "serviceusage.services.batchEnable",
    "iam.projects.roles.create",
    "iam.projects.serviceAccounts.create",
    "iam.projects.serviceAccounts.setIamPolicy",
    "iamcredentials.projects.serviceAccounts.generateAccessToken",
    "cloudresourcemanager.projects.getIamPolicy",
    "iam.projects.roles.get",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_that_was_interrupted_is_gone_on_with() {
    for change in CHANGES {
        let scene = Scene::by(Way::Key, Config::default()).await;
        let (connection, spec) = scene.granted().await;
        let fault = json!({
            "kind": "fail", "code": "PERMISSION_DENIED",
            "match": { "operation": change }, "times": 1,
        });
        scene.admin("faults", fault).await;
        let found = scene.verify(&connection, &spec).await;
        assert!(!worse(&found).is_empty(), "{change}");
        let found = scene.verify(&connection, &spec).await;
        assert!(worse(&found).is_empty(), "{change}: {:#?}", worse(&found));
        let (email, _) = key_of(&connection);
        assert_eq!(scene.customer.roles_of(&email).await, [""; 0], "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_got_lost_is_no_second_making() {
    for change in &CHANGES[..5] {
        let scene = Scene::by(Way::Key, Config::default()).await;
        let (connection, spec) = scene.granted().await;
        let fault = json!({
            "kind": "lost_answer", "match": { "operation": change }, "times": 1,
        });
        scene.admin("faults", fault).await;
        let found = scene.verify(&connection, &spec).await;
        assert!(worse(&found).is_empty(), "{change}: {:#?}", worse(&found));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_made_again_only_when_asked_for() {
    let scene = Scene::by(Way::Key, Config::default()).await;
    let (connection, spec) = scene.connected().await;
    let grant = gcp(&spec);
    let customer = &scene.customer;
    let provisioner = customer.account(grant, GcpIdentity::Provisioner);
    customer.delete("iam", &provisioner).await.ok();
    for role in &grant.roles {
        let path = format!("v1/{}", role.name);
        customer.delete("iam", &path).await.ok();
    }
    let found = scene.verify(&connection, &spec).await;
    assert!(found.refused);
    let gone = check(&found, "gcp.provisioner-impersonated");
    assert_eq!(gone.outcome, Outcome::Fail);
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Partial {
            missing: landfall_model::grant::Identity::Provisioner
        }
    );

    // The setup again: Project IAM Admin.
    let (email, _) = key_of(&connection);
    customer.admit(&email).await;
    assert_eq!(
        scene.connector.detect(&connection).await,
        Detection::Granted
    );
    let found = scene.verify(&connection, &spec).await;
    let bad: Vec<_> = worse(&found)
        .into_iter()
        // The provisioner's role had to be bound again, which is said.
        .filter(|check| check.id != "gcp.provisioner-bound")
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(customer.roles_of(&email).await, [""; 0]);
}

/// Two keys mean nothing where the account has more than it was asked for; then
/// it is said, and nothing is taken away that the setup did not give.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_more_roles_is_said_to_have_no_two_keys() {
    let scene = Scene::by(Way::Key, Config::default()).await;
    let (mut connection, spec) = scene.granted().await;
    let (email, _) = key_of(&connection);
    scene.customer.bind_role("roles/owner", &email).await;
    for _ in 0..2 {
        let found = scene
            .finds(
                &connection,
                &spec,
                "gcp.key-account-narrowed",
                Outcome::Warn,
                "take these away",
            )
            .await;
        let narrowed = check(&found, "gcp.key-account-narrowed");
        assert!(
            narrowed.evidence.contains("two keys: no") && narrowed.evidence.contains("roles/owner"),
            "{narrowed:?}"
        );
        assert_eq!(worse(&found).len(), 1, "{:#?}", worse(&found));
        assert!(found.too_broad);
        assert_eq!(scene.customer.roles_of(&email).await, ["roles/owner"]);
        connection.state = State::Connected {
            since: scene.clock.now(),
        };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_left_behind_is_watched_until_it_is_gone() {
    let scene = Scene::new().await;
    let (mut connection, spec) = scene.connected().await;
    let customer: &Customer = &scene.customer;
    let key = customer.prepare_key("any-name").await;
    let id = "gcp.old-key-deleted";
    let found = scene.verify(&connection, &spec).await;
    assert!(found.checks.iter().all(|check| check.id != id));
    assert!(!found.left_behind_gone);

    connection.left_behind = Some(scene.by_key(&key).target);
    let found = scene
        .finds(&connection, &spec, id, Outcome::Warn, &key.key_id)
        .await;
    assert!(!found.left_behind_gone);
    assert!(check(&found, id).remedy.contains("keys delete"));
    let path = format!(
        "v1/projects/{}/serviceAccounts/{}/keys/{}",
        customer.project, key.service_account, key.key_id
    );
    customer
        .post("iam", &format!("{path}:disable"), json!({}))
        .await
        .ok();
    let found = scene
        .finds(&connection, &spec, id, Outcome::Warn, "delete it")
        .await;
    assert!(check(&found, id).evidence.contains("disabled"));
    // An older setup, in which the bootstrap may not look at keys.
    let change = json!({ "includedPermissions": ["resourcemanager.projects.get"] });
    let grant = gcp(&spec);
    customer.role(grant, GcpIdentity::Bootstrap, change).await;
    let found = scene
        .finds(&connection, &spec, id, Outcome::Warn, "see for yourself")
        .await;
    assert!(check(&found, id).evidence.contains("not visible to us"));
    let all = &grant.role(GcpIdentity::Bootstrap).unwrap().permissions;
    let change = json!({ "includedPermissions": all });
    customer.role(grant, GcpIdentity::Bootstrap, change).await;

    customer.delete("iam", &path).await.ok();
    let found = scene.finds(&connection, &spec, id, Outcome::Pass, "").await;
    assert!(found.left_behind_gone);
}

/// The account of the key may go, too: then its key is gone with it.
#[tokio::test(flavor = "multi_thread")]
async fn from_a_key_to_no_key_without_an_outage() {
    let by_key = Scene::by(Way::Key, Config::default()).await;
    let (mut connection, _) = by_key.connected().await;
    let (email, _) = key_of(&connection);
    // The same project by assertions: the accounts are there, and get one more
    // way in.
    let keyless = by_key.keyless();
    let old = connection.target.clone();
    let Target::Gcp(target) = &mut connection.target else {
        panic!("Google Cloud");
    };
    target.access = GcpAccess::WorkloadIdentity {
        project_number: Some(by_key.customer.number.parse().unwrap()),
    };
    connection.left_behind = Some(old);
    connection.grant_digest = None;
    let principal = keyless.principal().await.unwrap();
    let spec = landfall_plan::policy::grant(&connection, &principal).unwrap();
    by_key.customer.enable(&["sts"]).await;
    by_key.customer.let_in_too(gcp(&spec)).await;
    by_key.clock.sleep(Duration::from_secs(30)).await;
    let verify = async || {
        keyless
            .verify(
                &connection,
                &spec,
                by_key.clock.now(),
                &landfall_model::connector::Silent,
            )
            .await
            .unwrap()
    };
    let found = verify().await;
    let open: Vec<_> = found
        .checks
        .iter()
        .filter(|check| !matches!(check.outcome, Outcome::Pass | Outcome::Warn))
        .collect();
    assert!(open.is_empty(), "{open:#?}");
    assert_eq!(check(&found, "gcp.old-key-deleted").outcome, Outcome::Warn);
    // Both ways are in, and it is said whose the other one is.
    let trust = check(&found, "gcp.trust-as-granted.reaper");
    assert_eq!(trust.outcome, Outcome::Warn);
    assert!(trust.evidence.contains(&email), "{trust:?}");

    let path = format!(
        "v1/projects/{}/serviceAccounts/{email}",
        by_key.customer.project
    );
    by_key.customer.delete("iam", &path).await.ok();
    let found = verify().await;
    assert!(worse(&found).is_empty(), "{:#?}", worse(&found));
    assert!(found.left_behind_gone);
}
