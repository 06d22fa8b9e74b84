use crate::{
    client::{Browser, Stream},
    common::{World, check},
};
use landfall_app::connections;

#[tokio::test]
async fn a_page_is_told_of_what_changed_and_of_nothing_else() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let connection = world.connected(&admin.actor).await;
    let browser = Browser::signed_in(&world, &admin).await;
    let path = format!("/connections/{}", connection.id);
    let page = browser.get(&path).await;
    let mut stream = Stream::of(browser.open(&page.attribute("sse-connect")).await);

    // Heard, and read again, and still the same: a renamed connection's checks
    // and state are what they were.
    let renamed = connections::Change {
        name: Some("another".to_owned()),
        ..connections::Change::default()
    };
    connections::change(&world.app, &admin.actor, &connection.id, renamed)
        .await
        .unwrap();
    let mut failed = check("aws.account-matches");
    failed.outcome = landfall_model::check::Outcome::Fail;
    world.cloud.verifies(vec![failed], false);
    connections::verify(&world.app, &admin.actor, &connection.id)
        .await
        .unwrap();
    assert!(stream.until("event: changed").await);
    world.app.closing().cancel();
    assert!(!stream.until("\u{0}").await);
    assert_eq!(stream.read.matches("event: changed").count(), 1);
}

#[tokio::test]
async fn what_changed_before_the_page_listened_is_told_at_once() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let connection = world.connected(&admin.actor).await;
    let browser = Browser::signed_in(&world, &admin).await;
    let path = format!("/connections/{}/changes?seen=another", connection.id);
    let mut stream = Stream::of(browser.open(&path).await);
    assert!(stream.until("event: changed").await);
}

#[tokio::test]
async fn a_stream_ends_with_the_token_that_opened_it() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let connection = world.connected(&tenant.admin.actor).await;
    let viewer = world
        .person(&tenant, landfall_model::member::Role::Viewer)
        .await;
    let browser = Browser::signed_in(&world, &viewer).await;
    let page = browser
        .get(&format!("/connections/{}", connection.id))
        .await;
    let mut stream = Stream::of(browser.open(&page.attribute("sse-connect")).await);
    landfall_app::members::remove(&world.app, &tenant.admin.actor, &viewer.member.id)
        .await
        .unwrap();
    assert!(!stream.until("\u{0}").await);
    assert!(!stream.read.contains("changed"), "{}", stream.read);
}
