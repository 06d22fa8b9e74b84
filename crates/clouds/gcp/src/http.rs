//! Calls of Google's REST APIs.

use crate::{
    config::{ConfigError, GcpConfig},
    error::{from_answer, malformed, no_answer},
};
use landfall_model::driver::Failure;
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;
use zeroize::Zeroizing;

/// Answers that are read here are small; a policy has at most 250 kB.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Whether a call changes something: then an answer that never came leaves its
/// outcome open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Mutation,
}

/// A bearer token: masked in `Debug`, overwritten when dropped.
#[derive(Clone)]
pub(crate) struct AccessToken(Zeroizing<String>);

impl AccessToken {
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

#[derive(Clone)]
pub(crate) struct Google {
    http: reqwest::Client,
    /// For the machine's own metadata server, past any proxy.
    direct: reqwest::Client,
    template: String,
}

impl Google {
    pub(crate) fn new(config: &GcpConfig) -> Result<Self, ConfigError> {
        let client = || {
            reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(5))
                .timeout(Duration::from_secs(30))
                // A token must not follow a redirect to somewhere else.
                .redirect(reqwest::redirect::Policy::none())
        };
        let direct = client()
            .no_proxy()
            .build()
            .map_err(ConfigError::HttpClient)?;
        let http = if config.is_loopback() {
            direct.clone()
        } else {
            client().build().map_err(ConfigError::HttpClient)?
        };
        Ok(Self {
            http,
            direct,
            template: config.endpoint_template.trim_end_matches('/').to_owned(),
        })
    }

    fn url(&self, service: &str, path: &str) -> String {
        format!("{}/{path}", self.template.replace("{service}", service))
    }

    /// The token endpoints: what they are sent is the credential.
    pub(crate) async fn exchange(
        &self,
        service: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let request = self.http.post(self.url(service, path)).form(fields);
        answer(request, &format!("{service}:{path}"), Effect::Read).await
    }

    /// The metadata server of the machine: the header shows that no page of
    /// somebody else made the request.
    pub(crate) async fn metadata(&self, url: &str, path: &str) -> Result<Value, Failure> {
        let request = self
            .direct
            .get(format!("{url}/{path}"))
            .header("Metadata-Flavor", "Google")
            .timeout(Duration::from_secs(5));
        answer(request, "the metadata server", Effect::Read).await
    }

    pub(crate) fn with(&self, token: AccessToken) -> Session {
        Session {
            google: self.clone(),
            token,
        }
    }
}

/// Calls as somebody.
#[derive(Clone)]
pub(crate) struct Session {
    google: Google,
    token: AccessToken,
}

impl Session {
    pub(crate) async fn get(&self, service: &str, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, service, path, None, Effect::Read)
            .await
    }

    /// A `POST` that changes nothing: `getIamPolicy`, `testIamPermissions`.
    pub(crate) async fn ask(
        &self,
        service: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        self.call(Method::POST, service, path, Some(body), Effect::Read)
            .await
    }

    pub(crate) async fn change(
        &self,
        method: Method,
        service: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        self.call(method, service, path, Some(body), Effect::Mutation)
            .await
    }

    pub(crate) async fn delete(&self, service: &str, path: &str) -> Result<Value, Failure> {
        self.call(Method::DELETE, service, path, None, Effect::Mutation)
            .await
    }

    async fn call(
        &self,
        method: Method,
        service: &str,
        path: &str,
        body: Option<&Value>,
        effect: Effect,
    ) -> Result<Value, Failure> {
        let operation = format!("{service}: {method} {path}");
        let mut request = self
            .google
            .http
            .request(method, self.google.url(service, path))
            .bearer_auth(self.token.0.as_str());
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(request, &operation, effect).await
    }
}

async fn answer(
    request: reqwest::RequestBuilder,
    operation: &str,
    effect: Effect,
) -> Result<Value, Failure> {
    let mut response = request
        .send()
        .await
        .map_err(|error| no_answer(&error, operation, effect))?;
    let status = response.status();
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| no_answer(&error, operation, effect))?
    {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(malformed(operation, "more than 4 MiB", effect));
        }
        body.extend_from_slice(&chunk);
    }
    if !status.is_success() {
        return Err(from_answer(status.as_u16(), &body, operation, effect));
    }
    serde_json::from_slice(&body).map_err(|_| malformed(operation, "no JSON", effect))
}
