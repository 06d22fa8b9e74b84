use crate::{
    client::Browser,
    common::{World, application, environment},
};
use landfall_app::{plans, rollouts};
use landfall_model::{
    environment::ApprovalPolicy,
    journal::{EventKind, Stream},
    store::Write,
};

#[tokio::test]
async fn a_rollout_that_could_not_begin_says_why() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let actor = &admin.actor;
    let connection = world.connected(actor).await;
    let shop = application(&world.app, actor).await;
    let view = environment(
        &world.app,
        actor,
        &shop,
        &connection,
        ApprovalPolicy::Automatic,
    )
    .await;
    let plan = plans::create(&world.app, actor, &view.environment.id)
        .await
        .unwrap();
    let mut rollout = rollouts::start(&world.app, actor, &plan.id).await.unwrap();
    let browser = Browser::signed_in(&world, &admin).await;
    let path = format!("/rollouts/{}", rollout.id);
    assert!(!browser.get(&path).await.html.contains("id=\"why\""));

    let now = world.app.now();
    rollout.state = rollout.state.running(now).unwrap();
    rollout.state = rollout.state.failed(now, 0, 0).unwrap();
    rollout.version += 1;
    let finished = Write::Append {
        stream: Stream::Rollout(rollout.id.clone()),
        at: now,
        address: None,
        kind: EventKind::Finished {
            outcome: "failed".to_owned(),
            why: Some("the account stayed silent".to_owned()),
        },
    };
    world
        .store
        .commit(vec![Write::PutRollout(rollout), finished])
        .await
        .unwrap();
    let page = browser.get(&path).await;
    assert!(page.html.contains("id=\"why\""), "{}", page.html);
    assert!(page.html.contains("the account stayed silent"));
}
