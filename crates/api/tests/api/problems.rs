use crate::{
    client::{Answer, Call, get, patch, post, put_score, send},
    common::{self, World},
};
use axum::{Router, http::Method};
use serde_json::json;

struct Api {
    router: Router,
    token: String,
    application: String,
}

async fn api() -> Api {
    let world = World::new().await;
    let tenant = world.tenant("Acme").await;
    let shop = common::application(&world.app, &tenant.admin.actor).await;
    Api {
        router: landfall_api::router(world.app.clone()),
        token: tenant.admin.secret().to_owned(),
        application: shop.id.to_string(),
    }
}

impl Api {
    async fn raw(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Answer {
        let call = Call {
            method,
            path,
            token: Some(&self.token),
            content_type,
            headers: &[],
            body: body.to_vec(),
        };
        send(&self.router, call).await
    }

    async fn json(&self, body: &[u8]) -> Answer {
        let json = Some("application/json");
        self.raw(Method::POST, "/api/v1/applications", json, body)
            .await
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_request_is_a_problem() {
    let api = api().await;
    let cases = [
        (
            get(&api.router, &api.token, "/api/v1/nothing").await,
            "not-found",
        ),
        (
            get(&api.router, &api.token, "/api/v1/applications/app_1").await,
            "not-found",
        ),
        (
            get(&api.router, &api.token, "/api/v1/applications/%ff").await,
            "not-found",
        ),
        (
            api.raw(Method::PATCH, "/api/v1/applications", None, b"")
                .await,
            "method-not-allowed",
        ),
        (
            api.raw(Method::POST, "/healthz", None, b"").await,
            "method-not-allowed",
        ),
        (
            get(&api.router, &api.token, "/api/v1/audit?after=x").await,
            "request-malformed",
        ),
        (
            get(&api.router, &api.token, "/api/v1/rollouts?environment_id=x").await,
            "request-malformed",
        ),
        (api.json(b"").await, "request-malformed"),
        (api.json(b"{\"name\": ").await, "request-malformed"),
        (api.json(b"[]").await, "request-malformed"),
        (api.json(b"{}").await, "request-malformed"),
        (
            api.json(b"{\"name\": \"x\", \"extra\": 1}").await,
            "request-malformed",
        ),
        (api.json(b"{\"name\": \"\xff\"}").await, "request-malformed"),
        (
            api.json(&vec![b' '; 1024 * 1024 + 1]).await,
            "request-too-large",
        ),
        (
            api.raw(Method::POST, "/api/v1/applications", None, b"{}")
                .await,
            "media-type-unsupported",
        ),
        (
            api.raw(
                Method::POST,
                "/api/v1/applications",
                Some("text/plain"),
                b"{}",
            )
            .await,
            "media-type-unsupported",
        ),
        (
            put_score(
                &api.router,
                &api.token,
                &format!("/api/v1/applications/{}/workloads/web", api.application),
                "a: [",
            )
            .await,
            "score-invalid",
        ),
        (
            patch(
                &api.router,
                &api.token,
                "/api/v1/members/mem_00000000000000000000000000000000",
                &json!({"name": "x"}),
            )
            .await,
            "not-found",
        ),
    ];
    for (index, (answer, expected)) in cases.iter().enumerate() {
        assert_eq!(answer.code(), *expected, "case {index}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_json_fault_has_its_place_and_a_method_its_allow_header() {
    let api = api().await;
    let fault = api.json(b"{\n  \"name\": 7\n}").await;
    assert_eq!(fault.code(), "request-malformed");
    assert_eq!(fault.json["violations"][0]["position"]["line"], 2);
    let wrong = api
        .raw(Method::PATCH, "/api/v1/applications", None, b"")
        .await;
    let allow = wrong.headers["allow"].to_str().unwrap();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn score_faults_have_line_and_column() {
    let api = api().await;
    let path = format!("/api/v1/applications/{}/workloads/web", api.application);
    let file = common::SCORE.replace("port: 80", "port: eighty");
    let answer = put_score(&api.router, &api.token, &path, &file).await;
    assert_eq!(answer.code(), "score-invalid");
    assert_eq!(answer.json["violations"][0]["position"]["line"], 10);
}

#[tokio::test]
async fn every_answer_has_security_headers_and_a_request_id_of_ours() {
    let api = api().await;
    let forged = Call {
        method: Method::GET,
        path: "/api/v1/me",
        token: Some(&api.token),
        content_type: None,
        headers: &[
            ("x-request-id", "forged\tid"),
            ("origin", "https://evil.example"),
        ],
        body: vec![],
    };
    let answers = [
        send(&api.router, forged).await,
        get(&api.router, "", "/api/v1/me").await,
        get(&api.router, "", "/api/v1/openapi.json").await,
        get(&api.router, "", "/healthz").await,
    ];
    for answer in answers {
        let header = |name: &str| answer.headers.get(name).map(|it| it.to_str().unwrap());
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("x-frame-options"), Some("DENY"));
        assert_eq!(header("cache-control"), Some("no-store"));
        assert!(
            header("content-security-policy")
                .unwrap()
                .contains("default-src 'none'")
        );
        assert!(!header("x-request-id").unwrap().contains("forged"));
        // No CORS: a browser's script elsewhere reads nothing.
        assert_eq!(header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn commands_take_no_body_or_an_empty_object() {
    let api = api().await;
    let path = "/api/v1/plans/pln_00000000000000000000000000000000/rollouts";
    for (body, expected) in [
        (json!({}), "not-found"),
        (json!({ "x": 1 }), "request-malformed"),
    ] {
        let answer = post(&api.router, &api.token, path, &body).await;
        assert_eq!(answer.code(), expected);
    }
    let answer = api.raw(Method::POST, path, None, b"").await;
    assert_eq!(answer.code(), "not-found");
}
