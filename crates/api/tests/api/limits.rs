use crate::{client::get, common::World};
use landfall_app::{Settings, access};

#[tokio::test]
async fn one_organizations_flood_is_limited_and_not_anothers() {
    let mut settings = Settings::default();
    settings.rates.requests_per_second = 1;
    settings.rates.requests_burst = 5;
    let world = World::with(settings).await;
    let busy = world.tenant("Acme").await.admin;
    let quiet = world.tenant("Globex").await.admin;
    let router = landfall_api::router(world.app.clone());
    let mut limited = None;
    for _ in 0..20 {
        let answer = get(&router, busy.secret(), "/api/v1/me").await;
        if answer.status == 429 {
            limited = Some(answer);
        }
    }
    let limited = limited.expect("a limit");
    assert_eq!(limited.code(), "rate-limited");
    assert!(limited.headers.contains_key("retry-after"));
    assert_eq!(get(&router, quiet.secret(), "/api/v1/me").await.status, 200);
}

#[tokio::test]
async fn guessing_tokens_is_slowed_down_by_address() {
    let mut settings = Settings::default();
    settings.rates.failures_per_minute = 4;
    let world = World::with(settings).await;
    let admin = world.tenant("Acme").await.admin;
    let router = landfall_api::router(world.app.clone());
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(
            get(&router, "lf_guess", "/api/v1/me")
                .await
                .code()
                .to_owned(),
        );
    }
    assert_eq!(codes[..4], ["unauthenticated"; 4]);
    assert_eq!(codes[4..], ["rate-limited"; 2]);
    assert_eq!(get(&router, admin.secret(), "/api/v1/me").await.status, 200);
}

#[tokio::test]
async fn open_streams_are_counted_and_given_back() {
    let mut settings = Settings::default();
    settings.rates.streams = 1;
    let world = World::with(settings).await;
    let admin = world.tenant("Acme").await.admin;
    let slot = access::admit_stream(&world.app, &admin.actor).unwrap();
    let refused = access::admit_stream(&world.app, &admin.actor).unwrap_err();
    assert_eq!(refused.code.as_str(), "rate-limited");
    drop(slot);
    access::admit_stream(&world.app, &admin.actor).unwrap();
}
