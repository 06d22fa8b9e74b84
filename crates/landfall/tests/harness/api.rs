//! A client of the API that expects the server to die at any moment.

use anyhow::{Context as _, anyhow};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often a request is repeated that the cloud was too busy for.
const BUSY: u32 = 40;

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No answer: the server is gone, or went while it was asked.
    #[error("the server does not answer")]
    Silent(#[source] reqwest::Error),
    #[error("{method} {path}: {status} {body}")]
    Refused {
        method: Method,
        path: String,
        status: u16,
        body: String,
    },
    #[error("{method} {path}: the answer is not JSON")]
    Garbled { method: Method, path: String },
}

impl ApiError {
    /// The problem's code, when there is one.
    pub fn code(&self) -> Option<String> {
        let Self::Refused { body, .. } = self else {
            return None;
        };
        let problem: Value = serde_json::from_str(body).ok()?;
        problem["code"].as_str().map(str::to_owned)
    }
}

pub struct Api {
    http: reqwest::Client,
    url: String,
    token: String,
    /// Every answer, where a test wants to search them.
    heard: Option<Mutex<Vec<String>>>,
}

impl Api {
    pub fn new(url: &str, token: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            url: url.to_owned(),
            token: token.to_owned(),
            heard: None,
        }
    }

    /// Remembers every answer.
    pub fn listening(url: &str, token: &str) -> Self {
        Self {
            heard: Some(Mutex::default()),
            ..Self::new(url, token)
        }
    }

    pub fn heard(&self) -> Vec<String> {
        self.heard.as_ref().map_or_else(Vec::new, |heard| {
            heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
    ) -> Result<String, ApiError> {
        let mut request = self
            .http
            .request(method.clone(), format!("{}/api/v1{path}", self.url))
            .timeout(Duration::from_secs(150))
            .bearer_auth(&self.token);
        if let Some((content_type, body)) = body {
            request = request
                .header(reqwest::header::CONTENT_TYPE, content_type)
                .body(body);
        }
        let answer = request.send().await.map_err(ApiError::Silent)?;
        let status = answer.status();
        let body = answer.text().await.map_err(ApiError::Silent)?;
        if let Some(heard) = &self.heard {
            heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(body.clone());
        }
        if status.is_success() {
            return Ok(body);
        }
        Err(ApiError::Refused {
            method,
            path: path.to_owned(),
            status: status.as_u16(),
            body,
        })
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, ApiError> {
        let body = body.map(|body| ("application/json", body.to_string()));
        let mut tries = 0;
        let text = loop {
            match self.send(method.clone(), path, body.clone()).await {
                // "Try again in a minute", as the problem's next step says.
                Err(ApiError::Refused { status: 503, .. }) if tries < BUSY => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                answer => break answer?,
            }
        };
        serde_json::from_str(&text).map_err(|_| ApiError::Garbled {
            method,
            path: path.to_owned(),
        })
    }

    pub async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.json(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Value, ApiError> {
        self.json(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Result<Value, ApiError> {
        self.json(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, ApiError> {
        self.json(Method::DELETE, path, None).await
    }

    pub async fn put_score(
        &self,
        application: &str,
        name: &str,
        score: &str,
    ) -> Result<(), ApiError> {
        let path = format!("/applications/{application}/workloads/{name}");
        let body = Some(("text/yaml", score.to_owned()));
        self.send(Method::PUT, &path, body).await.map(drop)
    }

    pub async fn items(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        match self.get(path).await?["items"].take() {
            Value::Array(items) => Ok(items),
            other => Err(anyhow!("{path}: the items are {other}")),
        }
    }

    /// Looks at `path` until `done`.
    pub async fn until(
        &self,
        path: &str,
        limit: Duration,
        done: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let started = Instant::now();
        loop {
            let value = self.get(path).await?;
            if done(&value) {
                return Ok(value);
            }
            anyhow::ensure!(
                started.elapsed() < limit,
                "{path} did not get there within {} s: {value}",
                limit.as_secs()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A fresh plan of an environment.
    pub async fn plan(&self, environment: &str) -> Result<Value, ApiError> {
        let path = format!("/environments/{environment}/plans");
        self.post(&path, json!({})).await
    }
}

/// The text at `field`, which the API promises.
pub fn text<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    value[field]
        .as_str()
        .with_context(|| format!("{field} is missing in {value}"))
}
