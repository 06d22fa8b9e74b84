//! A client of the router.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
    response::Response,
};
use serde_json::Value;
use std::net::SocketAddr;
use tower::ServiceExt;

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `Null` when the body is not JSON.
    pub json: Value,
    pub text: String,
}

impl Answer {
    /// The code of a problem; the answer must be one in every respect.
    #[track_caller]
    pub fn code(&self) -> &str {
        assert_eq!(
            self.headers
                .get(header::CONTENT_TYPE)
                .and_then(|it| it.to_str().ok()),
            Some("application/problem+json"),
            "{} {}",
            self.status,
            self.text
        );
        assert_eq!(self.json["status"], self.status.as_u16());
        for field in ["type", "title", "detail", "next_step"] {
            let text = self.json[field].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{field} is missing: {}", self.text);
        }
        self.json["code"].as_str().unwrap()
    }

    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        self.json
    }
}

pub struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub token: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Vec<u8>,
}

/// As the machine that the router thinks it talks to.
pub const REMOTE: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    4711,
);

pub async fn respond(router: &Router, call: Call<'_>) -> Response {
    let mut request = Request::builder().method(call.method).uri(call.path);
    if let Some(token) = call.token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if let Some(content_type) = call.content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    for (name, value) in call.headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::from(call.body)).unwrap();
    request.extensions_mut().insert(ConnectInfo(REMOTE));
    router.clone().oneshot(request).await.unwrap()
}

pub async fn send(router: &Router, call: Call<'_>) -> Answer {
    let (parts, body) = respond(router, call).await.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        json: serde_json::from_slice(&body).unwrap_or(Value::Null),
        text: String::from_utf8_lossy(&body).into_owned(),
    }
}

fn call<'a>(method: Method, path: &'a str, token: &'a str) -> Call<'a> {
    Call {
        method,
        path,
        token: Some(token),
        content_type: None,
        headers: &[],
        body: Vec::new(),
    }
}

pub async fn get(router: &Router, token: &str, path: &str) -> Answer {
    send(router, call(Method::GET, path, token)).await
}

pub async fn delete(router: &Router, token: &str, path: &str) -> Answer {
    send(router, call(Method::DELETE, path, token)).await
}

pub async fn post(router: &Router, token: &str, path: &str, body: &Value) -> Answer {
    post_with(router, token, path, body, &[]).await
}

pub async fn post_with(
    router: &Router,
    token: &str,
    path: &str,
    body: &Value,
    headers: &[(&str, &str)],
) -> Answer {
    let call = Call {
        content_type: Some("application/json"),
        headers,
        body: body.to_string().into_bytes(),
        ..call(Method::POST, path, token)
    };
    send(router, call).await
}

pub async fn patch(router: &Router, token: &str, path: &str, body: &Value) -> Answer {
    let call = Call {
        content_type: Some("application/json"),
        body: body.to_string().into_bytes(),
        ..call(Method::PATCH, path, token)
    };
    send(router, call).await
}

pub async fn put_score(router: &Router, token: &str, path: &str, score: &str) -> Answer {
    let call = Call {
        content_type: Some("text/yaml"),
        body: score.as_bytes().to_vec(),
        ..call(Method::PUT, path, token)
    };
    send(router, call).await
}
