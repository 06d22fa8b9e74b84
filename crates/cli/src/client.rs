//! Landfall's API over HTTP.

use crate::error::{CliError, Result};
use landfall_model::error::Problem;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::time::Duration;

pub struct Client {
    http: reqwest::Client,
    server: String,
    token: SecretString,
}

/// `{"items": […]}`, as every list is.
#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
}

impl Client {
    /// `server` is its origin, like `http://127.0.0.1:7070`.
    pub fn new(server: &str, token: SecretString) -> Result<Self> {
        let server = server.trim_end_matches('/').to_owned();
        if url::Url::parse(&server).is_err() {
            return Err(CliError::Usage(format!("'{server}' is not a URL")));
        }
        // Verification asks the cloud many questions before it answers.
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(180))
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(|source| CliError::Unreachable {
                server: server.clone(),
                source,
            })?;
        Ok(Self {
            http,
            server,
            token,
        })
    }

    pub fn server(&self) -> &str {
        &self.server
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/api/v1{path}", self.server))
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.token.expose_secret()),
            )
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = request
            .send()
            .await
            .map_err(|source| CliError::Unreachable {
                server: self.server.clone(),
                source,
            })?;
        let status = response.status();
        let body = response
            .bytes()
            .await
            .map_err(|source| CliError::Unreachable {
                server: self.server.clone(),
                source,
            })?;
        if !status.is_success() {
            return Err(match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => CliError::Refused(Box::new(problem)),
                Err(_) => self.unexpected(format!("status {status}")),
            });
        }
        let body: &[u8] = if status == StatusCode::NO_CONTENT {
            b"null"
        } else {
            &body
        };
        serde_json::from_slice(body).map_err(|error| self.unexpected(error.to_string()))
    }

    fn unexpected(&self, what: String) -> CliError {
        CliError::Unexpected {
            server: self.server.clone(),
            what,
        }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>> {
        Ok(self.get::<Items<T>>(path).await?.items)
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        self.send(self.request(Method::PATCH, path).json(body))
            .await
    }

    pub async fn put_text<T: DeserializeOwned>(&self, path: &str, text: String) -> Result<T> {
        let request = self
            .request(Method::PUT, path)
            .header(header::CONTENT_TYPE, "text/yaml")
            .body(text);
        self.send(request).await
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.send(self.request(Method::DELETE, path)).await
    }
}
