use crate::{
    client::{Answer, get, post, post_with},
    common::{Person, World},
};
use axum::Router;
use landfall_app::idempotency::{self, Begin};
use landfall_model::{digest::Digest, member::Role};
use serde_json::{Value, json};
use std::time::Duration;

async fn once(router: &Router, person: &Person, path: &str, key: &str, body: &Value) -> Answer {
    post_with(
        router,
        person.secret(),
        path,
        body,
        &[("idempotency-key", key)],
    )
    .await
}

#[tokio::test]
async fn a_repeated_post_happens_once_and_gets_the_first_answer() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let router = landfall_api::router(world.app.clone());
    let path = "/api/v1/applications";
    let body = json!({ "name": "shop" });
    let first = once(&router, &admin, path, "k-1", &body).await;
    let second = once(&router, &admin, path, "k-1", &body).await;
    assert_eq!(first.status, 201);
    assert_eq!(second.status, 201);
    assert_eq!(first.json, second.json);
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert!(!first.headers.contains_key("idempotency-replayed"));

    // A refusal is an answer, too.
    let refused = once(&router, &admin, path, "k-2", &body).await;
    assert_eq!(refused.code(), "name-taken");
    let again = once(&router, &admin, path, "k-2", &body).await;
    assert_eq!(again.code(), "name-taken");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let list = get(&router, admin.secret(), path).await.ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_names_one_request_of_one_person() {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let other = world.person(&tenant, Role::Admin).await;
    let stranger = world.tenant("Globex").await.admin;
    let admin = tenant.admin;
    let router = landfall_api::router(world.app.clone());
    let path = "/api/v1/applications";
    let body = json!({ "name": "shop" });
    once(&router, &admin, path, "k", &body).await.ok();
    let another = json!({ "name": "other" });
    for reused in [
        once(&router, &admin, path, "k", &another).await,
        once(&router, &admin, "/api/v1/members", "k", &body).await,
        once(&router, &other, path, "k", &body).await,
    ] {
        assert_eq!(reused.code(), "idempotency-key-reused");
    }
    // Another organization's keys are its own.
    once(&router, &stranger, path, "k", &body).await.ok();
    for bad in ["", "a b", "k#1", &"k".repeat(129)] {
        let refused = once(&router, &admin, path, bad, &body).await;
        assert_eq!(refused.code(), "request-malformed", "{bad}");
    }
}

#[tokio::test]
async fn requests_at_the_same_time_with_one_key_happen_once() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let router = landfall_api::router(world.app.clone());
    let body = json!({ "name": "shop" });
    let send = || once(&router, &admin, "/api/v1/applications", "k", &body);
    let answers = tokio::join!(send(), send(), send(), send());
    let answers = [answers.0, answers.1, answers.2, answers.3];
    let mut made = std::collections::BTreeSet::new();
    for answer in &answers {
        if answer.status == 201 {
            made.insert(answer.json["id"].as_str().unwrap().to_owned());
        } else {
            assert_eq!(answer.code(), "idempotency-key-busy");
            assert!(answer.headers.contains_key("retry-after"));
        }
    }
    assert_eq!(made.len(), 1);
    let later = send().await;
    assert!(made.contains(later.json["id"].as_str().unwrap()));
}

#[tokio::test]
async fn the_servers_own_trouble_is_not_kept_and_a_crash_only_for_a_while() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let actor = &admin.actor;
    let request = || Digest::of_bytes(b"a request");
    let begin = async || idempotency::begin(&world.app, actor, "k", request()).await;

    for _ in 0..3 {
        let Begin::Fresh(claim) = begin().await.unwrap() else {
            panic!("it was not answered yet");
        };
        assert_eq!(
            begin().await.unwrap_err().code.as_str(),
            "idempotency-key-busy"
        );
        idempotency::finish(&world.app, actor, claim, 503, String::new())
            .await
            .unwrap();
    }
    // Killed while executing: nobody finishes. After the claim has run out the
    // repetition executes.
    let Begin::Fresh(_lost) = begin().await.unwrap() else {
        panic!("it was not answered yet");
    };
    assert!(begin().await.is_err());
    world.clock.advance(Duration::from_secs(301));
    let Begin::Fresh(claim) = begin().await.unwrap() else {
        panic!("it was not answered yet");
    };
    idempotency::finish(&world.app, actor, claim, 201, "{}".to_owned())
        .await
        .unwrap();
    assert!(matches!(
        begin().await.unwrap(),
        Begin::Answered { status: 201, .. }
    ));
}

#[tokio::test]
async fn a_secret_shown_once_is_not_kept_for_repetitions() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let router = landfall_api::router(world.app.clone());
    let body = json!({ "name": "ci" });
    let first = once(&router, &admin, "/api/v1/tokens", "k", &body)
        .await
        .ok();
    let secret = first["secret"].as_str().unwrap();
    assert!(secret.starts_with("lf_"));
    let second = once(&router, &admin, "/api/v1/tokens", "k", &body).await;
    assert!(!second.text.contains(secret));
    assert_eq!(second.json["token"], first["token"]);
    assert!(second.json.get("secret").is_none());
    let works = post(
        &router,
        secret,
        "/api/v1/applications",
        &json!({ "name": "shop" }),
    )
    .await;
    assert_eq!(works.status, 201);
}
