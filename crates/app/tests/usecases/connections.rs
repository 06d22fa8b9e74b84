use super::secrets::{Stage, by_secret};
use crate::common::{self, ACCOUNT, World, check, code, eventually, new_connection};
use landfall_app::{
    Settings, audit, checks,
    connections::{self, Change, New},
};
use landfall_model::{
    Code,
    audit::Entry,
    check::Outcome,
    connection::State,
    driver::{Failure, FailureKind},
    member::Role,
};
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

#[tokio::test]
async fn bad_input_has_a_code_and_an_audit_row_and_stores_nothing() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let with = |change: fn(&mut New)| {
        let mut new = new_connection();
        change(&mut new);
        new
    };
    let cases = [
        (
            with(|new| new.account_id = "1234".into()),
            Code::ConnectionAccountMalformed,
        ),
        (
            with(|new| new.account_id = "1234-5678-9012".into()),
            Code::ConnectionAccountMalformed,
        ),
        (
            with(|new| new.account_id = "12345678901٢".into()),
            Code::ConnectionAccountMalformed,
        ),
        (
            with(|new| new.account_id = "000000000000".into()),
            Code::ConnectionAccountMalformed,
        ),
        (
            with(|new| new.partition = Some("aws-iso".into())),
            Code::ConnectionPartitionUnknown,
        ),
        (
            with(|new| new.method = Some("root-key".into())),
            Code::ConnectionMethodUnavailable,
        ),
        (
            with(|new| new.regions = vec!["eu-central-1\n".into()]),
            Code::ConnectionRegionUnknown,
        ),
        (
            with(|new| new.regions = vec!["us-gov-west-1".into()]),
            Code::ConnectionRegionUnknown,
        ),
        (
            with(|new| new.name = "a\u{202e}b".into()),
            Code::NameInvalid,
        ),
        (
            with(|new| new.external_id = Some(json!("lf-of-somebody"))),
            Code::ConnectionExternalIdRefused,
        ),
        (
            with(|new| new.external_id = Some(json!(null))),
            Code::ConnectionExternalIdRefused,
        ),
    ];
    for (new, expected) in cases {
        let shown = format!("{new:?}");
        let refused = connections::create(&world.app, actor, new).await;
        assert_eq!(code(refused), expected, "{shown}");
        let newest = audit::list(&world.app, actor, None, Some(1)).await.unwrap();
        assert_eq!(newest[0].action, "connection.create");
        assert_eq!(newest[0].outcome, expected.as_str());
    }
    assert!(
        connections::list(&world.app, actor)
            .await
            .unwrap()
            .is_empty()
    );

    world.cloud.unavailable();
    let refused = connections::create(&world.app, actor, new_connection()).await;
    assert_eq!(code(refused), Code::ConnectionMethodUnavailable);
}

#[tokio::test]
async fn an_account_is_connected_once_but_by_every_organization_with_its_own_external_id() {
    let world = World::new().await;
    let mut external_ids = BTreeSet::new();
    for name in ["Acme", "Globex"] {
        let tenant = world.tenant(name).await;
        let actor = &tenant.admin.actor;
        let created = connections::create(&world.app, actor, new_connection())
            .await
            .unwrap();
        assert_eq!(
            created.grant.fact("external-id"),
            Some(&*created.connection.external_id)
        );
        external_ids.insert(created.connection.external_id.clone());
        let mut again = new_connection();
        again.name = "another".to_owned();
        let refused = connections::create(&world.app, actor, again).await;
        assert_eq!(code(refused), Code::ConnectionDuplicate);

        // Disconnected, it may be connected again, with a new external id.
        connections::disconnect(&world.app, actor, &created.connection.id)
            .await
            .unwrap();
        let again = connections::create(&world.app, actor, new_connection())
            .await
            .unwrap();
        external_ids.insert(again.connection.external_id);
    }
    assert_eq!(external_ids.len(), 4);
    for id in external_ids {
        assert!(id.starts_with("lf-") && id.len() >= 3 + 32, "{id}");
    }
}

/// Whoever granted too much, or too little, connects anew beside, and then
/// disconnects the first: nothing is without a connection meanwhile.
#[tokio::test]
async fn a_subscription_is_connected_again_for_more_or_less_of_it() {
    let stage = Stage::new().await;
    let process = stage.start(Arc::default());
    let tenant = common::tenant(&process.app, "Acme").await;
    let actor = &tenant.admin.actor;
    let text = |text: &str| Some(text.to_owned());
    let new = |name: &str, breadth: Option<&str>, group: Option<&str>| New {
        name: name.to_owned(),
        breadth: breadth.map(str::to_owned),
        management_group: group.map(str::to_owned),
        ..by_secret("secret8Q~0123456789012345678901234567890")
    };
    for (name, breadth, group) in [
        ("broad", Some("broad"), None),
        ("narrow", None, None),
        ("of a group", None, Some("landing-zones")),
    ] {
        let made = connections::create(&process.app, actor, new(name, breadth, group)).await;
        let target = made.unwrap().connection.target;
        assert_eq!(target.above(), group.and_then(text));
        assert_eq!(target.breadth().as_str(), breadth.unwrap_or("narrow"));
        let again = connections::create(&process.app, actor, new("again", breadth, group)).await;
        assert_eq!(code(again), Code::ConnectionDuplicate, "{name}");
    }
    // Who chose the broad role can be read later.
    let entries = stage.store.audit(actor.organization_id(), 0, 100).await;
    let chosen = |entry: &Entry| entry.detail["breadth"] == "broad";
    assert!(entries.unwrap().iter().any(chosen));
    process.stop().await;
}

#[tokio::test]
async fn two_requests_at_once_make_one_connection() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let mut other = new_connection();
    other.name = "another".to_owned();
    let (first, second) = tokio::join!(
        connections::create(&world.app, actor, new_connection()),
        connections::create(&world.app, actor, other),
    );
    assert!(first.is_ok() != second.is_ok());
}

#[tokio::test]
async fn a_flood_of_connections_meets_a_limit() {
    let mut settings = Settings::default();
    settings.quotas.connections = 2;
    settings.rates.connections_per_hour = 4;
    let world = World::with(settings).await;
    let tenant = world.tenant("Acme").await;
    let mut codes = Vec::new();
    for index in 0..6 {
        let new = New {
            name: format!("c{index}"),
            account_id: format!("10000000000{index}"),
            ..New::default()
        };
        codes.push(
            match connections::create(&world.app, &tenant.admin.actor, new).await {
                Ok(_) => None,
                Err(error) => Some(error.code),
            },
        );
    }
    let (limit, rate) = (Some(Code::LimitReached), Some(Code::RateLimited));
    assert_eq!(codes, [None, None, limit, limit, rate, rate]);
    // Another organization has its own.
    let other = world.tenant("Globex").await;
    connections::create(&world.app, &other.admin.actor, new_connection())
        .await
        .unwrap();
}

#[tokio::test]
async fn regions_are_chosen_among_those_that_the_account_has_enabled() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let pending = connections::create(&world.app, actor, new_connection())
        .await
        .unwrap();
    let id = &pending.connection.id;
    let default = |region: &str| Change {
        default_region: Some(region.to_owned()),
        ..Change::default()
    };
    let wanted = |regions: &[&str]| Change {
        regions: Some(regions.iter().map(ToString::to_string).collect()),
        ..Change::default()
    };
    let change = async |change| connections::change(&world.app, actor, id, change).await;

    assert_eq!(
        code(change(default("eu-central-1")).await),
        Code::ConnectionNotConnected
    );
    world
        .cloud
        .verifies(vec![check("aws.account-matches")], false);
    connections::verify(&world.app, actor, id).await.unwrap();

    assert_eq!(
        code(change(default("us-east-1")).await),
        Code::ConnectionRegionUnknown
    );
    assert_eq!(
        code(change(wanted(&["af-south-1"])).await),
        Code::ConnectionRegionUnknown
    );
    assert_eq!(
        code(change(wanted(&["eu-nowhere-1"])).await),
        Code::ConnectionRegionUnknown
    );
    let both = change(wanted(&["us-east-1", "eu-central-1"]))
        .await
        .unwrap();
    assert_eq!(both.regions, ["eu-central-1", "us-east-1"]);
    let chosen = change(default("us-east-1")).await.unwrap();
    assert_eq!(chosen.default_region.as_deref(), Some("us-east-1"));
    let listed = connections::regions(&world.app, actor, id).await.unwrap();
    assert!(listed.iter().any(|region| !region.enabled));
}

#[tokio::test]
async fn a_failed_check_degrades_and_a_verification_is_kept_with_its_checks() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let member = world.person(&tenant, Role::Member).await;
    let connection = world.connected(&tenant.admin.actor).await;
    let mut failing = check("aws.external-id-enforced.provisioner");
    failing.outcome = Outcome::Fail;
    world
        .cloud
        .verifies(vec![check("aws.account-matches"), failing.clone()], false);
    world.clock.advance(Duration::from_secs(60));
    let run = connections::verify(&world.app, &member.actor, &connection.id)
        .await
        .unwrap();
    assert_eq!(run.outcome(), Outcome::Fail);
    let view = connections::show(&world.app, &member.actor, &connection.id)
        .await
        .unwrap();
    let State::Degraded { failed_checks, .. } = view.connection.state else {
        panic!("{:?}", view.connection.state);
    };
    assert_eq!(failed_checks, [failing.id]);
    assert!(view.next_look_at.is_some());
    let history = checks::list(&world.app, &member.actor, &connection.id, None)
        .await
        .unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!(history[0], run);
}

#[tokio::test]
async fn the_digest_of_the_roles_stays_what_it_was_when_all_passed() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let connection = world.connected(actor).await;
    assert!(connection.grant_digest.is_some());
    // Somebody edits a role: warned about each time, not only once.
    let mut warning = check("aws.roles-unchanged");
    warning.outcome = Outcome::Warn;
    world.cloud.verifies(vec![warning], false);
    connections::verify(&world.app, actor, &connection.id)
        .await
        .unwrap();
    let view = connections::show(&world.app, actor, &connection.id)
        .await
        .unwrap();
    assert_eq!(view.connection.grant_digest, connection.grant_digest);
}

#[tokio::test]
async fn a_disconnected_connection_does_nothing_more() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let connection = world.connected(actor).await;
    let ended = connections::disconnect(&world.app, actor, &connection.id)
        .await
        .unwrap();
    assert!(matches!(ended.connection.state, State::Disconnected { .. }));
    assert!(ended.remaining.is_empty());
    let id = &connection.id;
    let before = world.cloud.calls().len();
    assert_eq!(
        code(connections::verify(&world.app, actor, id).await),
        Code::ConnectionState
    );
    assert_eq!(
        code(connections::disconnect(&world.app, actor, id).await),
        Code::ConnectionState
    );
    let rename = Change {
        name: Some("x".to_owned()),
        ..Change::default()
    };
    assert_eq!(
        code(connections::change(&world.app, actor, id, rename).await),
        Code::ConnectionState
    );
    assert_eq!(world.cloud.calls().len(), before);
    // It stays in the ledger.
    let listed = connections::list(&world.app, actor).await.unwrap();
    assert_eq!(listed[0].scope(), ACCOUNT);
}

#[tokio::test]
async fn a_verification_that_waited_does_not_ask_an_account_that_was_given_back() {
    let mut settings = Settings::default();
    settings.verification.timeout = Duration::from_secs(2);
    let world = World::with(settings).await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let connection = world.connected(actor).await;
    world.cloud.silence(ACCOUNT);
    let asked = world.cloud.count("verify");
    let verify = || {
        let (app, actor, id) = (world.app.clone(), actor.clone(), connection.id.clone());
        tokio::spawn(async move { connections::verify(&app, &actor, &id).await })
    };
    let first = verify();
    eventually("it asks", async || world.cloud.count("verify") > asked).await;
    let second = verify();
    // So that it waits for the first; where it has not begun yet, the result is
    // the same.
    tokio::time::sleep(Duration::from_millis(50)).await;
    connections::disconnect(&world.app, actor, &connection.id)
        .await
        .unwrap();
    first.abort();
    assert_eq!(code(second.await.unwrap()), Code::ConnectionState);
    assert_eq!(world.cloud.count("verify"), asked + 1);
}

#[tokio::test]
async fn the_cause_of_a_missing_identity_is_kept_for_the_log() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let connection = world.connected(actor).await;
    let refused = Failure::new(FailureKind::Unauthorized, "ExpiredToken", "it has expired");
    world.cloud.refuses_the_server(refused.clone());
    let error = connections::grant(&world.app, actor, &connection.id)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::ConnectionMethodUnavailable);
    assert!(error.detail.contains("it has expired"), "{}", error.detail);
    let cause = error.source.expect("the cause");
    assert_eq!(cause.downcast_ref::<Failure>(), Some(&refused));
}

#[tokio::test]
async fn who_names_an_unknown_method_is_told_the_ones_that_this_server_has() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let mut new = new_connection();
    new.method = Some("root-key".to_owned());
    let error = connections::create(&world.app, &tenant.admin.actor, new)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::ConnectionMethodUnavailable);
    assert_eq!(error.next_step, "use 'assume-role'");
}

#[tokio::test]
async fn a_silent_account_costs_time_only_until_its_breaker_opens() {
    let mut settings = Settings::default();
    settings.verification.timeout = Duration::from_millis(20);
    let world = World::with(settings).await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let connection = world.connected(actor).await;
    world.cloud.silence(ACCOUNT);
    for _ in 0..3 {
        let silent = connections::verify(&world.app, actor, &connection.id).await;
        assert_eq!(code(silent), Code::CloudUnreachable);
    }
    let asked = world.cloud.count("verify");
    let silent = connections::verify(&world.app, actor, &connection.id).await;
    assert_eq!(code(silent), Code::CloudUnreachable);
    assert_eq!(
        world.cloud.count("verify"),
        asked,
        "an open breaker asks nothing"
    );
    // A network's trouble says nothing about the grant.
    let view = connections::show(&world.app, actor, &connection.id)
        .await
        .unwrap();
    assert!(view.connection.state.can_provision());
}
