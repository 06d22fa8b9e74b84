//! Whole runs: use cases, worker, engine and store together.

use crate::common::{
    self, FakeCloud, Seeded, Swift, application, assemble, connected, environment, eventually,
    tenant,
};
use landfall_app::{
    App, Parts, Settings, audit, environments,
    hub::Notice,
    plans,
    retained::{self, TypedName},
    rollouts, worker,
};
use landfall_model::{
    Clock,
    approval::Approver,
    driver::{Failure, FailureKind},
    environment::ApprovalPolicy,
    retained::{Retained, State},
    rollout,
    store::Store,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

struct Deployed {
    app: Arc<App>,
    cloud: Arc<FakeCloud>,
    actor: landfall_app::Actor,
    environment: landfall_model::environment::Environment,
    clock: Arc<Swift>,
    store: Arc<dyn Store>,
    shutdown: CancellationToken,
    worker: tokio::task::JoinHandle<()>,
}

async fn working() -> Deployed {
    let mut settings = Settings::default();
    settings.worker.poll = Duration::from_millis(1);
    settings.deployment_url = Some("http://127.0.0.1:9/{host}".to_owned());
    let clock = Arc::new(Swift::default());
    let (app, store, cloud) = assemble(settings, clock.clone()).await;
    let shutdown = CancellationToken::new();
    let worker = tokio::spawn(worker::run(app.clone(), shutdown.clone()));
    let actor = tenant(&app, "Acme").await.admin.actor;
    let connection = connected(&app, &cloud, &actor).await;
    let shop = application(&app, &actor).await;
    let view = environment(&app, &actor, &shop, &connection, ApprovalPolicy::Automatic).await;
    Deployed {
        app,
        cloud,
        actor,
        environment: view.environment,
        clock,
        store,
        shutdown,
        worker,
    }
}

impl Deployed {
    async fn deploy(&self) -> rollout::RolloutProgress {
        let plan = plans::create(&self.app, &self.actor, &self.environment.id)
            .await
            .unwrap();
        let rollout = rollouts::start(&self.app, &self.actor, &plan.id)
            .await
            .unwrap();
        eventually("the rollout ends", async || {
            let rollout = rollouts::show(&self.app, &self.actor, &rollout.id)
                .await
                .unwrap();
            rollout.state.is_over()
        })
        .await;
        rollouts::progress(&self.app, &self.actor, &rollout.id)
            .await
            .unwrap()
    }

    async fn destroy(&self, one: &Retained) -> Retained {
        let typed = TypedName {
            typed_name: one.typed_name().to_owned(),
        };
        retained::destroy(&self.app, &self.actor, &one.id, typed)
            .await
            .unwrap();
        eventually("the destruction ends", async || {
            let one = retained::show(&self.app, &self.actor, &one.id)
                .await
                .unwrap();
            !matches!(one.state, State::Destroying { .. })
        })
        .await;
        retained::show(&self.app, &self.actor, &one.id)
            .await
            .unwrap()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.worker.await.unwrap();
    }
}

#[tokio::test]
async fn a_plan_is_rolled_out_deleted_retained_and_destroyed_by_name() {
    let shop = working().await;
    let mut notices = shop.app.subscribe(&shop.actor);
    let progress = shop.deploy().await;
    assert!(
        matches!(progress.rollout.state, rollout::State::Succeeded { .. }),
        "{progress:#?}"
    );
    assert_eq!(progress.done, progress.total);
    assert!(progress.endpoints["web"].starts_with("http://127.0.0.1:9/"));
    let view = environments::show(&shop.app, &shop.actor, &shop.environment.id)
        .await
        .unwrap();
    assert_eq!(view.endpoints, progress.endpoints);
    let mut journaled = false;
    while let Ok(Some(notice)) =
        tokio::time::timeout(Duration::from_millis(1), notices.next()).await
    {
        journaled |= matches!(notice, Notice::Journal { .. } | Notice::Missed);
    }
    assert!(journaled, "the journal is told live");

    // Again: nothing to do.
    let again = plans::create(&shop.app, &shop.actor, &shop.environment.id)
        .await
        .unwrap();
    assert!(again.is_empty(), "{:#?}", again.summary);

    let made = shop.cloud.resources().len();
    environments::delete(&shop.app, &shop.actor, &shop.environment.id)
        .await
        .unwrap();
    let list = retained::list(&shop.app, &shop.actor, false).await.unwrap();
    assert_eq!(list.len(), made);
    assert_eq!(shop.cloud.resources().len(), made, "nothing was deleted");

    let repository = list
        .iter()
        .find(|one| one.type_name == "AWS::Logs::LogGroup")
        .unwrap();
    let destroyed = shop.destroy(repository).await;
    let State::Destroyed { approval, .. } = &destroyed.state else {
        panic!("{:?}", destroyed.state);
    };
    assert!(matches!(approval.by, Approver::Person { .. }));
    assert_eq!(shop.cloud.resources().len(), made - 1);
    assert_eq!(shop.cloud.count("provisioner: delete"), 0);
    assert_eq!(
        shop.cloud
            .count(&format!("narrowed to {}", repository.identifier)),
        1
    );

    let entries = audit::list(&shop.app, &shop.actor, Some(0), Some(500))
        .await
        .unwrap();
    for action in [
        "plan.create",
        "rollout.start",
        "rollout.end",
        "environment.delete",
        "retained.destroy",
        "retained.end",
    ] {
        assert!(
            entries.iter().any(|entry| entry.action == action),
            "{action}"
        );
    }
    audit::verify(&shop.app, &shop.actor).await.unwrap();
    shop.stop().await;
}

/// The role is gone between the start and the engine's first call.
#[tokio::test]
async fn a_rollout_that_cannot_begin_fails_says_why_and_can_be_resumed() {
    let shop = working().await;
    let plan = plans::create(&shop.app, &shop.actor, &shop.environment.id)
        .await
        .unwrap();
    // The start itself looks at the account once; whoever asks next is refused.
    let message = "sts:AssumeRole is refused";
    shop.cloud.refuses_the_provisioner_after(
        1,
        Failure::new(FailureKind::Unauthorized, "AccessDenied", message),
    );
    let verified = shop.cloud.count("verify");
    let id = rollouts::start(&shop.app, &shop.actor, &plan.id)
        .await
        .unwrap()
        .id;
    let over = async || {
        rollouts::show(&shop.app, &shop.actor, &id)
            .await
            .unwrap()
            .state
            .is_over()
    };
    eventually("it fails", over).await;
    let progress = rollouts::progress(&shop.app, &shop.actor, &id)
        .await
        .unwrap();
    assert!(matches!(
        progress.rollout.state,
        rollout::State::Failed { .. }
    ));
    assert_eq!(progress.why.as_deref(), Some(message));
    eventually("the grant is verified", async || {
        shop.cloud.count("verify") > verified
    })
    .await;

    shop.cloud.accepts_the_provisioner();
    rollouts::resume(&shop.app, &shop.actor, &id).await.unwrap();
    let resumed = rollouts::progress(&shop.app, &shop.actor, &id)
        .await
        .unwrap();
    assert_eq!(resumed.why, None, "it has begun anew");
    eventually("it succeeds", async || {
        let rollout = rollouts::show(&shop.app, &shop.actor, &id).await.unwrap();
        matches!(rollout.state, rollout::State::Succeeded { .. })
    })
    .await;
    shop.stop().await;
}

/// Nobody waited while the server was down, and the account may hiccup when it
/// comes back: what was approved is not given up for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_destruction_that_was_approved_before_a_long_outage_waits_for_the_account() {
    let mut shop = working().await;
    shop.deploy().await;
    environments::delete(&shop.app, &shop.actor, &shop.environment.id)
        .await
        .unwrap();
    let list = retained::list(&shop.app, &shop.actor, false).await.unwrap();
    let group = list
        .iter()
        .find(|one| one.type_name == "AWS::Logs::LogGroup")
        .unwrap();
    let silent = Failure::new(FailureKind::Unavailable, "NoAnswer", "connection refused");
    shop.cloud.refuses_the_reaper(Some(silent));
    let typed = TypedName {
        typed_name: group.typed_name().to_owned(),
    };
    retained::destroy(&shop.app, &shop.actor, &group.id, typed)
        .await
        .unwrap();
    eventually("the worker asks", async || shop.cloud.count("reaper ") > 0).await;

    shop.shutdown.cancel();
    shop.worker.await.unwrap();
    shop.clock.skip(Duration::from_secs(37 * 3600));
    let again = shop.cloud.count("reaper ");
    let clock: Arc<dyn Clock> = shop.clock.clone();
    shop.app = App::new(Parts {
        vault: common::vault(&shop.store, &clock),
        store: shop.store.clone(),
        clock: shop.clock.clone(),
        entropy: Arc::new(Seeded::default()),
        connectors: vec![shop.cloud.clone()],
        settings: shop.app.settings().clone(),
    });
    shop.shutdown = CancellationToken::new();
    shop.worker = tokio::spawn(worker::run(shop.app.clone(), shop.shutdown.clone()));
    eventually("the worker asks again", async || {
        shop.cloud.count("reaper ") > again
    })
    .await;
    shop.cloud.refuses_the_reaper(None);
    eventually("the destruction ends", async || {
        let one = retained::show(&shop.app, &shop.actor, &group.id)
            .await
            .unwrap();
        !matches!(one.state, State::Destroying { .. })
    })
    .await;
    let ended = retained::show(&shop.app, &shop.actor, &group.id)
        .await
        .unwrap();
    assert!(
        matches!(ended.state, State::Destroyed { .. }),
        "{:?}",
        ended.state
    );
    shop.stop().await;
}
