//! The issuer's documents.

use crate::client::get;
use async_trait::async_trait;
use landfall_model::{
    Timestamp,
    issuer::{Assertion, Claims, Issuer, IssuerError},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// An issuer of which only the documents matter.
struct Documents {
    url: Option<&'static str>,
    broken: bool,
}

#[async_trait]
impl Issuer for Documents {
    fn url(&self) -> Option<&str> {
        self.url
    }

    async fn assertion(&self, _: &str, _: &str) -> Result<Assertion, IssuerError> {
        Ok(Assertion::new(
            "unused".into(),
            "k".into(),
            Timestamp::from_millis(0),
        ))
    }

    async fn custom(&self, _: &Claims) -> Result<Assertion, IssuerError> {
        self.assertion("", "").await
    }

    async fn jwks(&self) -> Result<Value, IssuerError> {
        if self.broken {
            return Err(IssuerError::NoActiveKey);
        }
        Ok(json!({ "keys": [{ "kid": "k" }] }))
    }

    async fn key_id(&self) -> Result<String, IssuerError> {
        Ok("k".into())
    }

    fn discovery(&self) -> Option<Value> {
        self.url.map(|url| json!({ "issuer": url }))
    }
}

const PATHS: [&str; 2] = [
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
];

fn router(url: Option<&'static str>, broken: bool) -> axum::Router {
    landfall_api::issuer_router(Arc::new(Documents { url, broken }))
}

#[tokio::test]
async fn anybody_may_read_and_keep_them_for_a_while() {
    let router = router(Some("https://landfall.example.com"), false);
    for path in PATHS {
        let answer = get(&router, "", path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["cache-control"], "public, max-age=900");
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
    let discovery = get(&router, "", PATHS[0]).await.ok();
    assert_eq!(discovery["issuer"], "https://landfall.example.com");
    let jwks = get(&router, "", PATHS[1]).await.ok();
    assert_eq!(jwks["keys"][0]["kid"], "k");
}

#[tokio::test]
async fn a_server_that_issues_nothing_has_none() {
    for path in PATHS {
        let answer = get(&router(None, false), "", path).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (404, "not-found"));
    }
}

#[tokio::test]
async fn what_broke_is_not_told_and_not_cached() {
    let answer = get(&router(Some("https://x.example"), true), "", PATHS[1]).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(!answer.text.contains("active"));
}
