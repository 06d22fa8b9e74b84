use crate::{client::Browser, common::World};
use axum::http::StatusCode;
use landfall_app::{Settings, connections};

#[tokio::test]
async fn one_organizations_flood_of_pages_is_limited_and_not_anothers() {
    let mut settings = Settings::default();
    settings.rates.requests_per_second = 1;
    settings.rates.requests_burst = 5;
    let world = World::with(settings).await;
    let busy = world.tenant("Acme").await.admin;
    let quiet = world.tenant("Globex").await.admin;
    let busy = Browser::signed_in(&world, &busy).await;
    let quiet = Browser::signed_in(&world, &quiet).await;
    let mut limited = None;
    for _ in 0..20 {
        let page = busy.get("/settings").await;
        if page.status == StatusCode::TOO_MANY_REQUESTS {
            limited = Some(page);
        }
    }
    let limited = limited.expect("a limit");
    assert!(limited.headers.contains_key("retry-after"));
    for said in ["rate-limited", "What to do"] {
        assert!(limited.html.contains(said), "{}", limited.html);
    }
    assert_eq!(quiet.get("/settings").await.status, 200);
}

#[tokio::test]
async fn pages_that_follow_share_the_limit_of_open_streams() {
    let mut settings = Settings::default();
    settings.rates.streams = 1;
    let world = World::with(settings).await;
    let admin = world.tenant("Acme").await.admin;
    let created = connections::create(&world.app, &admin.actor, crate::common::new_connection())
        .await
        .unwrap();
    let browser = Browser::signed_in(&world, &admin).await;
    let path = format!("/connections/{}/changes", created.connection.id);
    let open = browser.open(&path).await;
    assert_eq!(open.status(), 200);
    let refused = browser.get(&path).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.html.contains("close some"), "{}", refused.html);
    drop(open);
    assert_eq!(browser.open(&path).await.status(), 200);
}
