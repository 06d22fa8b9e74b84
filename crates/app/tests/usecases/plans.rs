use crate::common::{World, application, code, connected, environment};
use landfall_app::{
    Actor, Settings, applications, connections, environments, plans, retained, rollouts,
};
use landfall_model::{
    Code,
    approval::Approver,
    connection::Connection,
    digest::Digest,
    environment::{ApprovalPolicy, Environment},
    id::{PlanId, RolloutId},
    journal::{Call, EventKind, Stream},
    member::Role,
    plan::{Plan, State},
    retained::Reason,
    rollout::{self, Rollout},
    store::Write,
};
use std::time::Duration;

struct Shop {
    world: World,
    admin: Actor,
    member: Actor,
    connection: Connection,
    application: landfall_model::application::Application,
    environment: Environment,
}

async fn shop(approval: ApprovalPolicy) -> Shop {
    shop_with(approval, Settings::default()).await
}

async fn shop_with(approval: ApprovalPolicy, settings: Settings) -> Shop {
    let world = World::with(settings).await;
    let tenant = world.tenant("Acme").await;
    let member = world.person(&tenant, Role::Member).await.actor;
    let admin = tenant.admin.actor;
    let connection = connected(&world.app, &world.cloud, &admin).await;
    let application = application(&world.app, &admin).await;
    let view = environment(&world.app, &admin, &application, &connection, approval).await;
    Shop {
        world,
        admin,
        member,
        connection,
        application,
        environment: view.environment,
    }
}

impl Shop {
    async fn plan(&self) -> Plan {
        plans::create(&self.world.app, &self.member, &self.environment.id)
            .await
            .unwrap()
    }

    async fn approve(&self, plan: &Plan) -> landfall_model::error::Result<Plan> {
        let seen = plans::Approve {
            digest: plan.digest.clone(),
        };
        plans::approve(&self.world.app, &self.admin, &plan.id, seen).await
    }

    async fn start(&self, id: &PlanId) -> landfall_model::error::Result<Rollout> {
        rollouts::start(&self.world.app, &self.member, id).await
    }

    async fn change_score(&self) {
        let changed = crate::common::SCORE.replace("web:1", "web:2");
        let id = &self.application.id;
        applications::put_workload(&self.world.app, &self.member, id, "web", &changed)
            .await
            .unwrap();
    }

    /// What the engine writes of one address.
    async fn journal(&self, rollout: &Rollout, address: &str, kinds: &[EventKind]) {
        let append = |kind: &EventKind| Write::Append {
            stream: Stream::Rollout(rollout.id.clone()),
            at: self.world.app.now(),
            address: Some(landfall_model::graph::Address::new(address)),
            kind: kind.clone(),
        };
        let writes = kinds.iter().map(append).collect();
        self.world.store.commit(writes).await.unwrap();
    }

    /// The rollout as the engine would leave it.
    async fn end(&self, id: &RolloutId) -> Rollout {
        let organization = self.admin.organization_id();
        let mut rollout = self
            .world
            .store
            .rollout(organization, id)
            .await
            .unwrap()
            .unwrap();
        let now = self.world.app.now();
        rollout.state = match rollout.state {
            queued @ rollout::State::Queued { .. } => {
                queued.running(now).unwrap().failed(now, 1, 0).unwrap()
            }
            canceling => canceling.canceled(now).unwrap(),
        };
        rollout.version += 1;
        self.world
            .store
            .commit(vec![Write::PutRollout(rollout.clone())])
            .await
            .unwrap();
        rollout
    }
}

/// A create with the tags of a resource.
fn intended() -> EventKind {
    let tags = serde_json::json!([{"Key": "landfall:address", "Value": "of this"}]);
    EventKind::Intended {
        attempt: 1,
        token: landfall_model::driver::AttemptToken("t-1".to_owned()),
        type_name: "AWS::Some::Type".to_owned(),
        request: Call::Create {
            properties: serde_json::json!({ "Tags": tags }),
        },
    }
}

fn identified(identifier: &str) -> EventKind {
    EventKind::Identified {
        attempt: 1,
        identifier: identifier.to_owned(),
    }
}

#[tokio::test]
async fn a_policy_approves_what_only_creates_and_a_person_approves_the_rest() {
    let automatic = shop(ApprovalPolicy::Automatic).await;
    let plan = automatic.plan().await;
    let State::Approved { approval } = &plan.state else {
        panic!("{:?}", plan.state);
    };
    assert_eq!(approval.by, Approver::Policy);
    assert!(plan.summary.create > 10);

    let manual = shop(ApprovalPolicy::Manual).await;
    let plan = manual.plan().await;
    assert_eq!(plan.state, State::Proposed);
    assert_eq!(code(manual.start(&plan.id).await), Code::PlanNotApproved);
    let seen = |digest| plans::Approve { digest };
    let app = &manual.world.app;
    let by_member = plans::approve(app, &manual.member, &plan.id, seen(plan.digest.clone())).await;
    assert_eq!(code(by_member), Code::Forbidden);
    let of_another = Digest::of_bytes(b"another plan");
    let mismatched = plans::approve(app, &manual.admin, &plan.id, seen(of_another)).await;
    assert_eq!(code(mismatched), Code::PlanDigestMismatch);
    let approved = manual.approve(&plan).await.unwrap();
    let State::Approved { approval } = approved.state else {
        panic!("{:?}", approved.state);
    };
    assert!(matches!(approval.by, Approver::Person { .. }));
    assert_eq!(approval.digest, plan.digest);
    assert_eq!(code(manual.approve(&plan).await), Code::PlanState);
}

#[tokio::test]
async fn what_changed_since_makes_a_plan_stale_and_says_what() {
    let shop = shop(ApprovalPolicy::Automatic).await;
    let plan = shop.plan().await;
    shop.change_score().await;
    let refused = shop.start(&plan.id).await.unwrap_err();
    assert_eq!(refused.code, Code::PlanStale);
    assert!(!refused.violations.is_empty());
    let stored = plans::show(&shop.world.app, &shop.member, &plan.id)
        .await
        .unwrap();
    let State::Stale { changed, .. } = stored.state else {
        panic!("{:?}", stored.state);
    };
    assert!(
        changed.iter().any(|one| one.contains("task")),
        "{changed:?}"
    );
    // Stale stays stale, even when the file is changed back.
    assert_eq!(code(shop.start(&plan.id).await), Code::PlanStale);
    shop.start(&shop.plan().await.id).await.unwrap();
}

#[tokio::test]
async fn one_rollout_runs_in_an_environment_and_a_plan_is_used_once() {
    let shop = shop(ApprovalPolicy::Automatic).await;
    let (one, two) = (shop.plan().await, shop.plan().await);
    let (first, second) = tokio::join!(shop.start(&one.id), shop.start(&two.id));
    let (started, refused) = match (first, second) {
        (Ok(started), Err(refused)) | (Err(refused), Ok(started)) => (started, refused),
        both => panic!("{both:?}"),
    };
    assert!(matches!(
        refused.code,
        Code::EnvironmentBusy | Code::VersionConflict
    ));
    assert_eq!(code(shop.start(&started.plan_id).await), Code::PlanState);

    let app = &shop.world.app;
    let id = &shop.environment.id;
    assert_eq!(
        code(environments::delete(app, &shop.member, id).await),
        Code::EnvironmentBusy
    );
    let deleted = applications::delete(app, &shop.member, &shop.application.id).await;
    assert_eq!(code(deleted), Code::EnvironmentBusy);
    let cut_off = connections::disconnect(app, &shop.admin, &shop.connection.id).await;
    assert_eq!(code(cut_off), Code::EnvironmentBusy);
}

#[tokio::test]
async fn cancel_and_resume_follow_the_rollouts_state() {
    let shop = shop(ApprovalPolicy::Automatic).await;
    let rollout = shop.start(&shop.plan().await.id).await.unwrap();
    let app = &shop.world.app;
    let (id, member) = (&rollout.id, &shop.member);
    assert_eq!(
        code(rollouts::resume(app, member, id).await),
        Code::EnvironmentBusy
    );
    let canceling = rollouts::cancel(app, member, id).await.unwrap();
    assert!(matches!(canceling.state, rollout::State::Canceling { .. }));

    shop.end(id).await;
    assert_eq!(
        code(rollouts::cancel(app, member, id).await),
        Code::RolloutState
    );
    let resumed = rollouts::resume(app, member, id).await.unwrap();
    assert!(matches!(resumed.state, rollout::State::Queued { .. }));
    let journal = rollouts::events(app, member, id, 0, None).await.unwrap();
    let kinds: Vec<&EventKind> = journal.iter().map(|event| &event.kind).collect();
    assert_eq!(kinds, [&EventKind::CancelRequested, &EventKind::Resumed]);

    // A newer rollout moved on: the older one would take it back.
    shop.end(id).await;
    shop.world.clock.advance(Duration::from_secs(1));
    let newer = shop.start(&shop.plan().await.id).await.unwrap();
    shop.end(&newer.id).await;
    assert_eq!(
        code(rollouts::resume(app, member, id).await),
        Code::RolloutState
    );
}

#[tokio::test]
async fn a_plan_asks_for_a_verification_when_the_last_is_old_and_stops_at_a_failed_check() {
    let shop = shop(ApprovalPolicy::Automatic).await;
    shop.plan().await;
    let verified = shop.world.cloud.count("verify");
    shop.plan().await;
    assert_eq!(shop.world.cloud.count("verify"), verified);

    shop.world.clock.advance(Duration::from_secs(16 * 60));
    let mut failing = crate::common::check("aws.permissions.database");
    failing.outcome = landfall_model::check::Outcome::Fail;
    shop.world.cloud.verifies(vec![failing], false);
    let refused = plans::create(&shop.world.app, &shop.member, &shop.environment.id)
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::ConnectionNotConnected);
    assert!(
        refused.detail.contains("aws.permissions.database"),
        "{}",
        refused.detail
    );
    assert_eq!(shop.world.cloud.count("verify"), verified + 1);
    assert_eq!(shop.world.cloud.count("provisioner: create"), 0);
}

/// A create that was sent and never answered: the account may hold what it
/// made.
#[tokio::test]
async fn deleting_an_environment_loses_no_create_that_nobody_saw_end() {
    let shop = shop(ApprovalPolicy::Automatic).await;
    let rollout = shop.start(&shop.plan().await.id).await.unwrap();
    let vpc = [intended(), identified("vpc-0123")];
    shop.journal(&rollout, "network.vpc", &vpc[..1]).await;
    shop.end(&rollout.id).await;

    let app = &shop.world.app;
    let id = &shop.environment.id;
    // Without an identifier only a rollout can find it.
    assert_eq!(
        code(environments::delete(app, &shop.admin, id).await),
        Code::EnvironmentState
    );

    shop.journal(&rollout, "network.vpc", &vpc[1..]).await;
    environments::delete(app, &shop.admin, id).await.unwrap();
    let list = retained::list(app, &shop.admin, false).await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].identifier, "vpc-0123");
    assert_eq!(list[0].reason, Reason::LeftBehind);
}

/// A name that the cloud repeats may be somebody else's, who had it first.
#[tokio::test]
async fn a_name_is_not_listed_as_ours_before_anybody_looked() {
    let shop = shop(ApprovalPolicy::Automatic).await;
    let rollout = shop.start(&shop.plan().await.id).await.unwrap();
    let logs = [intended(), identified("theirs")];
    shop.journal(&rollout, "workload.web.logs", &logs).await;
    shop.end(&rollout.id).await;
    let app = &shop.world.app;
    let id = &shop.environment.id;
    assert_eq!(
        code(environments::delete(app, &shop.admin, id).await),
        Code::EnvironmentState
    );
    assert_eq!(
        retained::list(app, &shop.admin, true).await.unwrap(),
        vec![]
    );
}

#[tokio::test]
async fn after_disconnecting_an_environment_can_go_and_what_is_perhaps_there_is_listed() {
    let shop = shop(ApprovalPolicy::Automatic).await;
    let rollout = shop.start(&shop.plan().await.id).await.unwrap();
    shop.journal(&rollout, "network.vpc", &[intended()]).await;
    let logs = [intended(), identified("landfall-logs")];
    shop.journal(&rollout, "workload.web.logs", &logs).await;
    let app = &shop.world.app;
    let connection = &shop.connection.id;
    let perhaps = async || {
        let remaining = connections::remaining(app, &shop.admin, connection)
            .await
            .unwrap();
        assert!(
            remaining
                .iter()
                .all(|one| one.perhaps && one.retained_id.is_none())
        );
        remaining
            .into_iter()
            .map(|one| one.identifier)
            .collect::<Vec<_>>()
    };
    assert!(perhaps().await.is_empty(), "the rollout may still learn it");
    shop.end(&rollout.id).await;
    let expected = ["landfall:address=network.vpc", "landfall-logs"];
    assert_eq!(perhaps().await, expected);

    let ended = connections::disconnect(app, &shop.admin, connection)
        .await
        .unwrap();
    assert_eq!(ended.remaining.len(), 2);
    environments::delete(app, &shop.admin, &shop.environment.id)
        .await
        .unwrap();
    assert_eq!(perhaps().await, expected, "the ledger is kept");
    assert_eq!(
        retained::list(app, &shop.admin, true).await.unwrap(),
        vec![],
        "nobody may destroy what is perhaps not ours"
    );
}

#[tokio::test]
async fn what_a_policy_approved_waits_for_a_person_once_the_policy_is_manual() {
    let shop = shop(ApprovalPolicy::Automatic).await;
    let app = &shop.world.app;
    let (early, late) = (shop.plan().await, shop.plan().await);
    let running = shop.start(&early.id).await.unwrap();
    shop.end(&running.id).await;
    let tightened = environments::Change {
        approval: Some(ApprovalPolicy::Manual),
        settings: None,
    };
    environments::change(app, &shop.member, &shop.environment.id, tightened)
        .await
        .unwrap();

    assert_eq!(code(shop.start(&late.id).await), Code::PlanNeedsPerson);
    let late = plans::show(app, &shop.admin, &late.id).await.unwrap();
    assert_eq!(late.state, State::Proposed, "nobody has approved it");
    let resumed = rollouts::resume(app, &shop.member, &running.id).await;
    assert_eq!(code(resumed), Code::PlanNeedsPerson);

    shop.approve(&late).await.unwrap();
    shop.start(&late.id).await.unwrap();
}

#[tokio::test]
async fn a_plan_asks_the_account_no_faster_than_a_rollout_may() {
    for window in [1, 3] {
        let mut settings = Settings::default();
        settings.engine.call.initial_window = window;
        settings.engine.call.largest_window = window;
        let shop = shop_with(ApprovalPolicy::Automatic, settings).await;
        // Two plans share what there is.
        tokio::join!(shop.plan(), shop.plan());
        let most = shop.world.cloud.most_reads_at_once();
        assert_eq!(most, window as usize);
    }
}
