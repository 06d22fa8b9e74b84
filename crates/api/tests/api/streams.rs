use crate::{
    client::{Call, respond},
    common::{World, check, new_connection},
};
use axum::{Router, body::Body, http::Method};
use http_body_util::BodyExt;
use landfall_app::{connections, tokens};
use landfall_model::{
    journal::{EventKind, Stream},
    rollout::State,
    store::Write,
};
use std::time::Duration;

struct Open {
    body: Body,
    read: String,
}

impl Open {
    async fn open(router: &Router, token: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let call = Call {
            method: Method::GET,
            path,
            token: Some(token),
            content_type: None,
            headers,
            body: vec![],
        };
        let response = respond(router, call).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            read: String::new(),
        }
    }

    /// Reads until `text` came; false when the stream ended first.
    async fn until(&mut self, text: &str) -> bool {
        let reading = async {
            while !self.read.contains(text) {
                match self.body.frame().await {
                    Some(frame) => {
                        let data = frame.unwrap().into_data().unwrap();
                        self.read.push_str(std::str::from_utf8(&data).unwrap());
                    }
                    None => return false,
                }
            }
            true
        };
        tokio::time::timeout(Duration::from_secs(20), reading)
            .await
            .unwrap_or_else(|_| panic!("'{text}' never came"))
    }

    async fn rest(mut self) -> String {
        assert!(!self.until("\u{0}").await);
        self.read
    }
}

#[tokio::test]
async fn a_connections_checks_are_told_as_they_end() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let router = landfall_api::router(world.app.clone());
    let created = connections::create(&world.app, &admin.actor, new_connection())
        .await
        .unwrap();
    let id = &created.connection.id;
    let path = format!("/api/v1/connections/{id}/stream");
    let mut stream = Open::open(&router, admin.secret(), &path, &[]).await;
    assert!(stream.until("\"status\":\"pending\"").await);

    world.cloud.verifies(
        vec![check("aws.account-matches"), check("aws.region")],
        false,
    );
    connections::verify(&world.app, &admin.actor, id)
        .await
        .unwrap();
    assert!(stream.until("\"status\":\"connected\"").await);
    assert!(stream.until("event: checks").await);
    assert_eq!(stream.read.matches("event: check\n").count(), 2);
    // Another organization's Admin hears nothing of it: there is no such thing.
    world.app.closing().cancel();
    assert!(stream.rest().await.contains("aws.region"));
}

#[tokio::test]
async fn a_rollout_is_told_from_the_last_event_that_was_seen_to_its_end() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let actor = &admin.actor;
    let router = landfall_api::router(world.app.clone());
    let connection = world.connected(actor).await;
    let shop = crate::common::application(&world.app, actor).await;
    let automatic = landfall_model::environment::ApprovalPolicy::Automatic;
    let view = crate::common::environment(&world.app, actor, &shop, &connection, automatic).await;
    let plan = landfall_app::plans::create(&world.app, actor, &view.environment.id)
        .await
        .unwrap();
    let mut rollout = landfall_app::rollouts::start(&world.app, actor, &plan.id)
        .await
        .unwrap();
    let append = |kind| Write::Append {
        stream: Stream::Rollout(rollout.id.clone()),
        at: world.app.now(),
        address: None,
        kind,
    };
    let started = append(EventKind::Started);
    let resumed = append(EventKind::Resumed);
    let outcome = "succeeded".to_owned();
    let finished = append(EventKind::Finished { outcome, why: None });
    world.store.commit(vec![started, resumed]).await.unwrap();

    let path = format!("/api/v1/rollouts/{}/stream", rollout.id);
    let mut all = Open::open(&router, admin.secret(), &path, &[]).await;
    assert!(all.until("\"event\":\"resumed\"").await);
    let mut second = Open::open(&router, admin.secret(), &path, &[("last-event-id", "1")]).await;
    assert!(second.until("\"event\":\"resumed\"").await);
    assert!(!second.read.contains("\"event\":\"started\""));
    assert!(second.read.contains("id: 2"));

    // Written past this process's hub, as another replica would.
    let now = world.app.now();
    rollout.state = rollout.state.running(now).unwrap().succeeded(now).unwrap();
    rollout.version += 1;
    world
        .store
        .commit(vec![Write::PutRollout(rollout.clone()), finished])
        .await
        .unwrap();
    assert!(matches!(rollout.state, State::Succeeded { .. }));
    let told = all.rest().await;
    assert!(told.contains("\"event\":\"finished\""));
    let last = told.rfind("event: rollout").unwrap();
    assert!(told[last..].contains("\"status\":\"succeeded\""));
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked() {
    let world = World::new().await;
    let admin = world.tenant("Acme").await.admin;
    let router = landfall_api::router(world.app.clone());
    let created = connections::create(&world.app, &admin.actor, new_connection())
        .await
        .unwrap();
    let new = tokens::New {
        name: "short".to_owned(),
        role: None,
        member_id: None,
        days: None,
    };
    let token = tokens::create(&world.app, &admin.actor, new).await.unwrap();
    let secret = secrecy::ExposeSecret::expose_secret(&token.secret).to_owned();
    let path = format!("/api/v1/connections/{}/stream", created.connection.id);
    let mut stream = Open::open(&router, &secret, &path, &[]).await;
    assert!(stream.until("event: connection").await);
    tokens::revoke(&world.app, &admin.actor, &token.token.id)
        .await
        .unwrap();
    let told = stream.rest().await;
    assert!(told.contains("token-expired"), "{told}");
}
