use crate::{
    client::Browser,
    common::{World, application, environment},
};
use landfall_app::{plans, rollouts};
use landfall_model::{
    driver::AttemptToken,
    environment::ApprovalPolicy,
    graph::Address,
    journal::{Call, EventKind, Stream},
    store::Write,
};
use serde_json::json;

/// A rollout asked for it, and ended before it learned what became of that.
#[tokio::test]
async fn what_is_only_perhaps_there_is_not_counted_as_made() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let actor = &admin.actor;
    let connection = world.connected(actor).await;
    let shop = application(&world.app, actor).await;
    let policy = ApprovalPolicy::Automatic;
    let view = environment(&world.app, actor, &shop, &connection, policy).await;
    let plan = plans::create(&world.app, actor, &view.environment.id)
        .await
        .unwrap();
    let mut rollout = rollouts::start(&world.app, actor, &plan.id).await.unwrap();
    let now = world.app.now();
    let intended = EventKind::Intended {
        attempt: 1,
        token: AttemptToken("t-1".to_owned()),
        type_name: "AWS::EC2::VPC".to_owned(),
        request: Call::Create {
            properties: json!({}),
        },
    };
    let running = rollout.state.running(now).unwrap();
    rollout.state = running.failed(now, 1, 0).unwrap();
    rollout.version += 1;
    let append = Write::Append {
        stream: Stream::Rollout(rollout.id.clone()),
        at: now,
        address: Some(Address::new("network.vpc")),
        kind: intended,
    };
    let writes = vec![append, Write::PutRollout(rollout)];
    world.store.commit(writes).await.unwrap();

    let browser = Browser::signed_in(&world, &admin).await;
    let page = browser
        .get(&format!("/connections/{}", connection.id))
        .await;
    assert_eq!(page.status, 200);
    for said in [
        "0 made by Landfall and 1 perhaps",
        "Nothing in the account is deleted: 1 resource perhaps stays.",
    ] {
        assert!(page.html.contains(said), "no {said} in {}", page.html);
    }
}
