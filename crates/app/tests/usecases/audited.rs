//! A change and its audit entry are one transaction.

use crate::common::{self, FakeCloud, Hand, Seeded, check, code, recording::Recording};
use landfall_app::{
    Actor, App, Parts, Settings, applications, audit, connections, environments, members, plans,
    retained, rollouts, sessions, tokens,
};
use landfall_model::{
    Clock, Code,
    environment::{ApprovalPolicy, Kind},
    graph::Address,
    member::Role,
    resource::Resource,
    store::{Store, Write},
};
use serde_json::json;
use std::sync::Arc;

struct Stage {
    app: Arc<App>,
    store: Arc<Recording>,
    actor: Actor,
    token: secrecy::SecretString,
}

async fn stage() -> Stage {
    let clock = Arc::new(Hand::default());
    let inner = landfall_store::open("sqlite::memory:", clock.clone())
        .await
        .unwrap();
    let store = Arc::new(Recording::new(inner));
    let cloud = Arc::new(FakeCloud::default());
    cloud.verifies(vec![check("aws.account-matches")], false);
    let store_port: Arc<dyn Store> = store.clone();
    let clock: Arc<dyn Clock> = clock;
    let app = App::new(Parts {
        vault: common::vault(&store_port, &clock),
        store: store.clone(),
        clock,
        entropy: Arc::new(Seeded::default()),
        connectors: vec![cloud],
        settings: Settings::default(),
    });
    let admin = common::tenant(&app, "Acme").await.admin;
    Stage {
        app,
        store,
        actor: admin.actor,
        token: admin.token,
    }
}

impl Stage {
    /// Every batch since the last call has an entry named `action`, and there is
    /// one batch.
    #[track_caller]
    fn audited(&self, action: &str) {
        let batches = self.store.take();
        assert_eq!(
            batches.len(),
            1,
            "{action} is one transaction: {batches:#?}"
        );
        let named = batches[0]
            .iter()
            .any(|write| matches!(write, Write::Audit(entry) if entry.action == action));
        assert!(named, "{action} is not in the batch: {batches:#?}");
    }
}

#[tokio::test]
async fn every_change_is_committed_with_its_entry() {
    let stage = stage().await;
    let (app, actor) = (&stage.app, &stage.actor);
    stage.audited("organization.found");

    let new = members::New {
        name: "Zoë".to_owned(),
        role: Role::Viewer,
    };
    let member = members::add(app, actor, new).await.unwrap();
    stage.audited("member.add");
    let change = members::Change {
        name: None,
        role: Some(Role::Member),
    };
    members::change(app, actor, &member.id, change)
        .await
        .unwrap();
    stage.audited("member.change");
    members::remove(app, actor, &member.id).await.unwrap();
    stage.audited("member.remove");
    let new = tokens::New {
        name: "ci".to_owned(),
        role: None,
        member_id: None,
        days: None,
    };
    let made = tokens::create(app, actor, new).await.unwrap();
    stage.audited("token.create");
    tokens::revoke(app, actor, &made.token.id).await.unwrap();
    stage.audited("token.revoke-own");
    let signed_in = sessions::sign_in(app, &stage.token, None).await.unwrap();
    stage.audited("session.sign-in");
    sessions::sign_out(app, &signed_in.secret).await.unwrap();
    stage.audited("session.sign-out");

    let created = connections::create(app, actor, common::new_connection())
        .await
        .unwrap();
    stage.audited("connection.create");
    let connection = created.connection;
    connections::verify(app, actor, &connection.id)
        .await
        .unwrap();
    stage.audited("connection.verify");
    let change = connections::Change {
        regions: Some(vec![]),
        ..Default::default()
    };
    connections::change(app, actor, &connection.id, change)
        .await
        .unwrap();
    stage.audited("connection.change");

    let new = applications::New {
        name: "shop".to_owned(),
    };
    let shop = applications::create(app, actor, new).await.unwrap();
    stage.audited("application.create");
    for name in ["web", "api"] {
        let score = common::SCORE.replace("name: web", &format!("name: {name}"));
        applications::put_workload(app, actor, &shop.id, name, &score)
            .await
            .unwrap();
        stage.audited("workload.put");
    }
    applications::remove_workload(app, actor, &shop.id, "api")
        .await
        .unwrap();
    stage.audited("workload.remove");

    let new = |name: &str| environments::New {
        application_id: shop.id.clone(),
        connection_id: connection.id.clone(),
        name: name.to_owned(),
        kind: Kind::Preview,
        region: Some(common::REGION.to_owned()),
        approval: Some(ApprovalPolicy::Manual),
        settings: Default::default(),
    };
    let retired = environments::create(app, actor, new("old"))
        .await
        .unwrap()
        .environment;
    stage.audited("environment.create");
    let environment = environments::create(app, actor, new("new"))
        .await
        .unwrap()
        .environment;
    stage.audited("environment.create");
    let change = environments::Change {
        settings: None,
        approval: Some(ApprovalPolicy::Automatic),
    };
    environments::change(app, actor, &environment.id, change)
        .await
        .unwrap();
    stage.audited("environment.loosen-approval");
    let change = environments::Change {
        settings: None,
        approval: Some(ApprovalPolicy::Manual),
    };
    environments::change(app, actor, &environment.id, change)
        .await
        .unwrap();
    stage.audited("environment.change");
    let plan = plans::create(app, actor, &environment.id).await.unwrap();
    stage.audited("plan.create");
    let seen = plans::Approve {
        digest: plan.digest.clone(),
    };
    plans::approve(app, actor, &plan.id, seen).await.unwrap();
    stage.audited("plan.approve");
    let rollout = rollouts::start(app, actor, &plan.id).await.unwrap();
    stage.audited("rollout.start");
    rollouts::cancel(app, actor, &rollout.id).await.unwrap();
    stage.audited("rollout.cancel");
    let mut ended = rollout.clone();
    let canceling = rollouts::show(app, actor, &rollout.id).await.unwrap();
    ended.state = canceling.state.canceled(app.now()).unwrap();
    ended.version = canceling.version + 1;
    app_commit(&stage, Write::PutRollout(ended)).await;
    rollouts::resume(app, actor, &rollout.id).await.unwrap();
    stage.audited("rollout.resume");

    for name in ["a", "b"] {
        let resource = Resource {
            environment_id: retired.id.clone(),
            address: Address::new(name),
            type_name: "AWS::Logs::LogGroup".to_owned(),
            title: name.to_owned(),
            identifier: name.to_owned(),
            account_id: common::ACCOUNT.to_owned(),
            region: common::REGION.to_owned(),
            applied: json!({}),
            outputs: json!({}),
            stateful: false,
            generation: 1,
            monthly_cents: None,
            updated_at: app.now(),
        };
        app_commit(&stage, Write::PutResource(resource)).await;
    }
    environments::delete(app, actor, &retired.id).await.unwrap();
    stage.audited("environment.delete");
    let list = retained::list(app, actor, false).await.unwrap();
    let typed = |one: &landfall_model::retained::Retained| retained::TypedName {
        typed_name: one.typed_name().to_owned(),
    };
    retained::destroy(app, actor, &list[0].id, typed(&list[0]))
        .await
        .unwrap();
    stage.audited("retained.destroy");
    retained::forget(app, actor, &list[1].id, typed(&list[1]))
        .await
        .unwrap();
    stage.audited("retained.forget");

    let other = applications::New {
        name: "other".to_owned(),
    };
    let other = applications::create(app, actor, other).await.unwrap();
    stage.audited("application.create");
    applications::delete(app, actor, &other.id).await.unwrap();
    stage.audited("application.delete");
    audit::verify(app, actor).await.unwrap();
}

async fn app_commit(stage: &Stage, write: Write) {
    use landfall_model::store::Store;
    stage.store.commit(vec![write]).await.unwrap();
    stage.store.take();
}

#[tokio::test]
async fn when_the_database_is_full_nothing_is_done_and_the_refusal_stands() {
    let stage = stage().await;
    let (app, actor) = (&stage.app, &stage.actor);
    stage.store.breaks(true);
    let new = || applications::New {
        name: "shop".to_owned(),
    };
    let refused = applications::create(app, actor, new()).await.unwrap_err();
    assert_eq!(refused.code, Code::StoreUnavailable);
    assert!(!refused.to_string().contains("disk"), "{refused}");
    // A refusal that cannot be written down is a refusal.
    let bad = applications::New {
        name: "No".to_owned(),
    };
    assert_eq!(
        code(applications::create(app, actor, bad).await),
        Code::NameInvalid
    );
    stage.store.breaks(false);
    assert!(applications::list(app, actor).await.unwrap().is_empty());
    applications::create(app, actor, new()).await.unwrap();
}
