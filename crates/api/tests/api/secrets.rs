//! A token's secret is in the one answer that makes it, and nowhere else.

use crate::{
    client::{Call, get, post, send},
    common::{self, World},
};
use axum::http::Method;
use landfall_app::sessions;
use landfall_model::{digest::Digest, member::Role};
use secrecy::ExposeSecret;
use serde_json::json;
use std::{
    io,
    sync::{Arc, Mutex, OnceLock},
};
use tracing_subscriber::fmt::MakeWriter;

/// Everything that is logged, at the finest level, by all tests of this
/// binary.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(log.clone())
            .init();
        log
    })
}

#[tokio::test]
async fn a_secret_is_in_no_answer_log_or_audit_entry() {
    let log = log();
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let viewer = world.person(&tenant, Role::Viewer).await;
    let admin = tenant.admin;
    let router = landfall_api::router(world.app.clone());
    let made = post(
        &router,
        admin.secret(),
        "/api/v1/tokens",
        &json!({ "name": "canary" }),
    )
    .await;
    let canary = made.json["secret"].as_str().unwrap().to_owned();
    let session = sessions::sign_in(&world.app, &canary.clone().into(), None)
        .await
        .unwrap();
    let secrets = [
        canary.clone(),
        admin.secret().to_owned(),
        viewer.secret().to_owned(),
        session.secret.expose_secret().to_owned(),
        Digest::of_bytes(canary.as_bytes()).to_string(),
    ];

    let connection = world.connected(&admin.actor).await;
    common::application(&world.app, &admin.actor).await;
    let mut answers = Vec::new();
    let document: serde_json::Value =
        serde_json::from_str(&landfall_api::openapi_document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_none() || path.ends_with("/stream") {
            continue;
        }
        let path = path.replace("{id}", connection.id.as_str());
        answers.push(get(&router, &canary, &path).await.text);
        answers.push(get(&router, viewer.secret(), &path).await.text);
    }
    // Where a client puts a secret by mistake.
    let body = json!({ "name": canary, "role": canary, "nonsense": canary });
    for path in ["/api/v1/tokens", "/api/v1/members", "/api/v1/connections"] {
        answers.push(post(&router, viewer.secret(), path, &body).await.text);
    }
    let in_query = format!("/api/v1/audit?after={canary}");
    get(&router, &canary, &in_query).await;
    let in_scheme = Call {
        method: Method::GET,
        path: "/api/v1/me",
        token: None,
        content_type: None,
        headers: &[("authorization", &format!("Basic {canary}"))],
        body: vec![],
    };
    answers.push(send(&router, in_scheme).await.text);
    let entries = landfall_app::audit::list(&world.app, &admin.actor, Some(0), Some(500))
        .await
        .unwrap();
    assert!(entries.len() > 5);
    answers.push(serde_json::to_string(&entries).unwrap());

    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.contains("/api/v1/tokens"), "requests are logged");
    for secret in &secrets {
        let leaks = answers
            .iter()
            .find(|answer| answer.contains(secret.as_str()));
        assert!(leaks.is_none(), "a secret is in an answer: {leaks:?}");
        if let Some(at) = logged.find(secret.as_str()) {
            let line = logged[..at].rfind('\n').map_or(0, |start| start + 1);
            panic!("a secret is in the log: {}", &logged[line..at]);
        }
    }
}
