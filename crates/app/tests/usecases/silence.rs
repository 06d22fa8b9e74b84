//! An account that does not answer keeps nothing waiting for ever.

use crate::common::{World, application, code, connected, environment, eventually};
use landfall_app::{Actor, Settings, connections, environments, plans, rollouts, worker};
use landfall_model::{
    Code,
    connection::Connection,
    driver::{Failure, FailureKind},
    environment::{ApprovalPolicy, Environment},
    rollout::{Rollout, State},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

struct Waiting {
    world: World,
    actor: Actor,
    environment: Environment,
    rollout: Rollout,
    shutdown: CancellationToken,
    worker: tokio::task::JoinHandle<()>,
}

fn expired() -> Failure {
    let message = "the server's own keys have expired";
    Failure::new(FailureKind::Unavailable, "NoIdentity", message)
}

/// A rollout whose account answered when it was started, and then no more.
async fn waiting() -> Waiting {
    let mut settings = Settings::default();
    settings.worker.poll = Duration::from_millis(1);
    let world = World::with(settings).await;
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn(worker::run(world.app.clone(), shutdown.clone()));
    let actor = world.tenant("Acme").await.admin.actor;
    let connection = world.connected(&actor).await;
    let shop = application(&world.app, &actor).await;
    let policy = ApprovalPolicy::Automatic;
    let view = environment(&world.app, &actor, &shop, &connection, policy).await;
    let plan = plans::create(&world.app, &actor, &view.environment.id)
        .await
        .unwrap();
    world.cloud.refuses_the_provisioner_after(1, expired());
    let asked = world.cloud.count("provisioner ");
    let rollout = rollouts::start(&world.app, &actor, &plan.id).await.unwrap();
    eventually("the worker asks", async || {
        world.cloud.count("provisioner ") > asked + 1
    })
    .await;
    Waiting {
        world,
        actor,
        environment: view.environment,
        rollout,
        shutdown,
        worker,
    }
}

impl Waiting {
    async fn state(&self) -> State {
        rollouts::show(&self.world.app, &self.actor, &self.rollout.id)
            .await
            .unwrap()
            .state
    }

    /// What it was in the way of can be done now.
    async fn end(self) {
        environments::delete(&self.world.app, &self.actor, &self.environment.id)
            .await
            .unwrap();
        self.shutdown.cancel();
        self.worker.await.unwrap();
    }
}

#[tokio::test]
async fn a_canceled_rollout_does_not_wait_for_a_silent_account() {
    let waiting = waiting().await;
    let app = &waiting.world.app;
    let busy = environments::delete(app, &waiting.actor, &waiting.environment.id).await;
    assert_eq!(code(busy), Code::EnvironmentBusy);
    rollouts::cancel(app, &waiting.actor, &waiting.rollout.id)
        .await
        .unwrap();
    // The clock stands still: nothing here is about time.
    eventually("it is canceled", async || {
        matches!(waiting.state().await, State::Canceled { .. })
    })
    .await;
    waiting.end().await;
}

#[tokio::test]
async fn a_rollout_gives_up_on_an_account_that_stays_silent() {
    let waiting = waiting().await;
    for _ in 0..20 {
        waiting.world.clock.advance(Duration::from_secs(60));
        tokio::task::yield_now().await;
    }
    assert!(!waiting.state().await.is_over(), "it is patient");
    eventually("it gives up", async || {
        waiting.world.clock.advance(Duration::from_secs(60));
        matches!(waiting.state().await, State::Failed { .. })
    })
    .await;
    let progress = rollouts::progress(&waiting.world.app, &waiting.actor, &waiting.rollout.id)
        .await
        .unwrap();
    let why = progress.why.unwrap();
    assert!(
        why.contains("half an hour") && why.contains("own keys"),
        "{why}"
    );
    waiting.end().await;
}

#[tokio::test]
async fn a_resumed_rollout_waits_as_long_as_a_new_one() {
    let waiting = waiting().await;
    let world = &waiting.world;
    let revoked = Failure::new(FailureKind::Unauthorized, "AccessDenied", "no such role");
    world.cloud.refuses_the_provisioner_after(0, revoked);
    eventually("it is refused", async || {
        world.clock.advance(Duration::from_secs(5));
        matches!(waiting.state().await, State::Failed { .. })
    })
    .await;
    world.clock.advance(Duration::from_secs(31 * 60));

    world.cloud.refuses_the_provisioner_after(0, expired());
    let asked = world.cloud.count("provisioner ");
    rollouts::resume(&world.app, &waiting.actor, &waiting.rollout.id)
        .await
        .unwrap();
    eventually("the worker asks twice", async || {
        world.clock.advance(Duration::from_secs(1));
        world.cloud.count("provisioner ") > asked + 1 || waiting.state().await.is_over()
    })
    .await;
    assert!(!waiting.state().await.is_over(), "it is patient");
    rollouts::cancel(&world.app, &waiting.actor, &waiting.rollout.id)
        .await
        .unwrap();
    eventually("it is canceled", async || {
        world.clock.advance(Duration::from_secs(1));
        waiting.state().await.is_over()
    })
    .await;
    waiting.end().await;
}

/// An environment to plan for, in an account whose reads fail.
async fn unreadable(
    settings: Settings,
    kind: FailureKind,
) -> (World, Actor, Connection, Environment) {
    let world = World::with(settings).await;
    let actor = world.tenant("Acme").await.admin.actor;
    let connection = connected(&world.app, &world.cloud, &actor).await;
    let shop = application(&world.app, &actor).await;
    let policy = ApprovalPolicy::Automatic;
    let view = environment(&world.app, &actor, &shop, &connection, policy).await;
    let failure = Failure::new(kind, "Trouble", "not now");
    world.cloud.refuses_to_be_read(failure);
    (world, actor, connection, view.environment)
}

#[tokio::test]
async fn a_busy_account_is_not_a_silent_one() {
    let mut settings = Settings::default();
    settings.planning.timeout = Duration::from_millis(50);
    let (world, actor, connection, environment) =
        unreadable(settings, FailureKind::Throttled).await;
    for _ in 0..3 {
        let plan = plans::create(&world.app, &actor, &environment.id).await;
        assert_eq!(code(plan), Code::CloudUnreachable);
    }
    connections::verify(&world.app, &actor, &connection.id)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_plan_does_not_wait_for_what_is_not_even_asked() {
    let (world, actor, _, environment) =
        unreadable(Settings::default(), FailureKind::Unavailable).await;
    let plan = async || {
        let plan = plans::create(&world.app, &actor, &environment.id).await;
        assert_eq!(code(plan), Code::PlanBlocked);
    };
    let in_time = async |step| {
        let pass = async {
            loop {
                world.clock.advance(step);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            () = plan() => {}
            () = pass => {}
        }
    };
    // Trouble for longer than a short outage: then nobody asks for a while.
    in_time(Duration::from_secs(1)).await;
    world.clock.advance(Duration::from_secs(100));
    in_time(Duration::from_millis(20)).await;

    let asked = world.cloud.calls().len();
    // The clock stands still.
    tokio::time::timeout(Duration::from_secs(20), plan())
        .await
        .expect("it sleeps between questions that are not asked");
    let calls = world.cloud.calls().split_off(asked);
    assert!(
        calls.iter().all(|call| call.starts_with("provisioner ")),
        "{calls:?}"
    );
}
