//! Steps of the journey, each through the API as any client would take it.

use anyhow::{Context as _, bail, ensure};
use landfall_model::error::Problem;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::{Duration, Instant};

pub struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    pub fn new(server: &str, token: &str) -> anyhow::Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(120))
                .build()?,
            base: format!("{server}/api/v1"),
            token: token.to_owned(),
        })
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<T> {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.context("the server does not answer")?;
        let status = response.status();
        let body = response.bytes().await?;
        if !status.is_success() {
            match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => bail!(
                    "{method} {path}: {} [{}]; {}",
                    problem.detail,
                    problem.code,
                    problem.next_step
                ),
                Err(_) => bail!("{method} {path}: {status}"),
            }
        }
        serde_json::from_slice(&body).with_context(|| format!("the answer to {method} {path}"))
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.send(Method::GET, path, None).await
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: Value) -> anyhow::Result<T> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: Value) -> anyhow::Result<T> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.send(Method::DELETE, path, None).await
    }

    pub async fn items<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Vec<T>> {
        let mut page: Value = self.get(path).await?;
        serde_json::from_value(page["items"].take()).with_context(|| format!("the list {path}"))
    }

    pub async fn put_score(
        &self,
        application: &str,
        name: &str,
        score: &str,
    ) -> anyhow::Result<()> {
        let response = self
            .http
            .put(format!(
                "{}/applications/{application}/workloads/{name}",
                self.base
            ))
            .bearer_auth(&self.token)
            .header(reqwest::header::CONTENT_TYPE, "text/yaml")
            .body(score.to_owned())
            .send()
            .await?;
        let status = response.status();
        ensure!(
            status.is_success(),
            "the Score file was answered {status}: {}",
            response.text().await.unwrap_or_default()
        );
        Ok(())
    }

    /// Looks at `path` until `done`, at most for `limit`.
    pub async fn until(
        &self,
        path: &str,
        limit: Duration,
        done: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        self.until_every(Duration::from_millis(100), path, limit, done)
            .await
    }

    /// The same, with another pause between the looks.
    pub async fn until_every(
        &self,
        pause: Duration,
        path: &str,
        limit: Duration,
        done: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let started = Instant::now();
        loop {
            let value: Value = self.get(path).await?;
            if done(&value) {
                return Ok(value);
            }
            ensure!(
                started.elapsed() < limit,
                "{path} did not get there within {} s; it is {}",
                limit.as_secs(),
                value["state"]["status"].as_str().unwrap_or("?")
            );
            tokio::time::sleep(pause).await;
        }
    }
}
