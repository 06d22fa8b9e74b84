use crate::common::{ACCOUNT, World, check, eventually, new_connection};
use landfall_app::{Actor, Settings, connections, environments, worker};
use landfall_model::{
    check::Outcome, connection::State, connector::Detection, environment::ApprovalPolicy,
    grant::Identity, id::ConnectionId,
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A worker beside the test, stopped with it.
struct Working {
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Working {
    fn start(world: &World) -> Self {
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(worker::run(world.app.clone(), shutdown.clone()));
        Self { shutdown, task }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

/// Looks as soon as it may, in real time; what passes in between is the test's
/// clock.
fn eager() -> Settings {
    let mut settings = Settings::default();
    settings.worker.poll = Duration::from_millis(1);
    settings
}

async fn state(world: &World, actor: &Actor, id: &ConnectionId) -> State {
    connections::show(&world.app, actor, id)
        .await
        .unwrap()
        .connection
        .state
}

async fn becomes(world: &World, actor: &Actor, id: &ConnectionId, expected: &str) {
    eventually(expected, async || {
        state(world, actor, id).await.as_str() == expected
    })
    .await;
}

/// Moves the clock in steps until `calls` of a kind were made.
async fn until_called(world: &World, kind: &str, calls: usize, step: Duration) {
    for _ in 0..1000 {
        if world.cloud.count(kind) >= calls {
            return;
        }
        world.clock.advance(step);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!(
        "{kind} was called {} times, not {calls}",
        world.cloud.count(kind)
    );
}

#[tokio::test]
async fn a_grant_is_detected_verified_and_connected() {
    let world = World::with(eager()).await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let id = connections::create(&world.app, actor, new_connection())
        .await
        .unwrap()
        .connection
        .id;
    let working = Working::start(&world);
    until_called(&world, "detect", 3, Duration::from_secs(1)).await;
    assert_eq!(state(&world, actor, &id).await.as_str(), "pending");

    let mut settling = check("aws.permissions.network");
    settling.outcome = Outcome::Propagating;
    world.cloud.verifies(vec![settling], false);
    world.cloud.detects(Detection::Granted);
    until_called(&world, "verify", 1, Duration::from_secs(1)).await;
    becomes(&world, actor, &id, "propagating").await;

    world
        .cloud
        .verifies(vec![check("aws.permissions.network")], false);
    until_called(&world, "verify", 2, Duration::from_secs(2)).await;
    becomes(&world, actor, &id, "connected").await;
    // Found: nobody looks for it any more, and a verification is scheduled.
    let looks = world.cloud.count("detect");
    world.clock.advance(Duration::from_secs(3600));
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(world.cloud.count("detect"), looks);
    until_called(&world, "verify", 3, Duration::from_secs(3600)).await;
    working.stop().await;
}

#[tokio::test]
async fn half_a_grant_is_propagating_until_its_deadline_and_then_degraded() {
    let world = World::with(eager()).await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let id = connections::create(&world.app, actor, new_connection())
        .await
        .unwrap()
        .connection
        .id;
    world.cloud.detects(Detection::Partial {
        missing: Identity::Reaper,
    });
    let mut failing = check("aws.assumable.reaper");
    failing.outcome = Outcome::Fail;
    world.cloud.verifies(vec![failing], false);
    let working = Working::start(&world);
    becomes(&world, actor, &id, "propagating").await;
    world.clock.advance(Duration::from_secs(299));
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(world.cloud.count("verify"), 0);
    until_called(&world, "verify", 1, Duration::from_secs(1)).await;
    becomes(&world, actor, &id, "degraded").await;
    working.stop().await;
}

#[tokio::test]
async fn a_revoked_grant_is_seen_said_and_looked_for_slowly_and_heals() {
    let world = World::with(eager()).await;
    let tenant = world.tenant("Acme").await;
    let actor = &tenant.admin.actor;
    let connection = world.connected(actor).await;
    let shop = crate::common::application(&world.app, actor).await;
    let environment = crate::common::environment(
        &world.app,
        actor,
        &shop,
        &connection,
        ApprovalPolicy::Automatic,
    )
    .await;
    let working = Working::start(&world);

    let mut refused = check("aws.assumable.provisioner");
    refused.outcome = Outcome::Fail;
    refused.evidence = "AccessDenied".to_owned();
    world.cloud.verifies(vec![refused], true);
    world.cloud.detects(Detection::Refused {
        evidence: "AccessDenied".to_owned(),
    });
    connections::verify(&world.app, actor, &connection.id)
        .await
        .unwrap();
    becomes(&world, actor, &connection.id, "revoked").await;
    let view = environments::show(&world.app, actor, &environment.environment.id)
        .await
        .unwrap();
    let notice = view.notice.unwrap();
    assert!(
        notice.contains("running workloads are unaffected"),
        "{notice}"
    );

    // Only the reaper is left: that is no new grant, however often it is seen.
    let looks = world.cloud.count("detect");
    world.cloud.detects(Detection::Partial {
        missing: Identity::Provisioner,
    });
    until_called(&world, "detect", looks + 2, Duration::from_secs(60)).await;
    becomes(&world, actor, &connection.id, "revoked").await;
    world.cloud.detects(Detection::Refused {
        evidence: "AccessDenied".to_owned(),
    });

    // No endless retries: at most one question in four minutes, no check runs.
    let (looks, checks) = (world.cloud.count("detect"), world.cloud.count("verify"));
    for _ in 0..60 {
        world.clock.advance(Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    eventually("it looks now and then", async || {
        world.cloud.count("detect") > looks
    })
    .await;
    let asked = world.cloud.count("detect") - looks;
    assert!((1..=15).contains(&asked), "{asked} looks in an hour");
    assert_eq!(world.cloud.count("verify"), checks);

    world
        .cloud
        .verifies(vec![check("aws.assumable.provisioner")], false);
    world.cloud.detects(Detection::Granted);
    until_called(&world, "verify", checks + 1, Duration::from_secs(60)).await;
    becomes(&world, actor, &connection.id, "connected").await;
    let view = environments::show(&world.app, actor, &environment.environment.id)
        .await
        .unwrap();
    assert_eq!(view.notice, None);
    working.stop().await;
}

#[tokio::test]
async fn a_silent_account_does_not_delay_another() {
    let mut settings = eager();
    settings.worker.checks = 4;
    settings.worker.per_organization = 2;
    let world = World::with(settings).await;
    let noisy = world.tenant("Acme").await;
    for index in 0..6 {
        let account_id = format!("20000000000{index}");
        world.cloud.silence(&account_id);
        let new = connections::New {
            name: format!("c{index}"),
            account_id,
            ..connections::New::default()
        };
        connections::create(&world.app, &noisy.admin.actor, new)
            .await
            .unwrap();
    }
    let working = Working::start(&world);
    eventually("the silent ones are asked", async || {
        world.cloud.count("detect") >= 2
    })
    .await;

    let quiet = world.tenant("Globex").await;
    let actor = &quiet.admin.actor;
    world.cloud.detects(Detection::Granted);
    world
        .cloud
        .verifies(vec![check("aws.account-matches")], false);
    let id = connections::create(&world.app, actor, new_connection())
        .await
        .unwrap()
        .connection
        .id;
    becomes(&world, actor, &id, "connected").await;
    assert_eq!(world.cloud.count(&format!("detect {ACCOUNT}")), 1);
    assert_eq!(
        world.cloud.count("detect 2"),
        2,
        "an organization has its turns"
    );
    working.stop().await;
}
