//! HTTP to Entra, Resource Manager and Graph.

use crate::{
    config::{AzureConfig, ConfigError},
    error::{Service, of_answer, of_transport, unreadable},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use landfall_model::{
    connection::Guid,
    driver::{Failure, FailureKind},
};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

const TIME_LIMIT: Duration = Duration::from_secs(30);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// A provider with all its types has about a megabyte.
const BODY_LIMIT: usize = 8 << 20;
/// No list of a subscription that is looked at has more pages.
const PAGES: usize = 50;

/// How a client proves to Entra who it is.
pub(crate) enum Credential<'a> {
    Assertion(&'a str),
    Secret(&'a str),
}

pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) config: AzureConfig,
}

impl Client {
    pub(crate) fn new(config: AzureConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let mut builder = reqwest::Client::builder()
            .timeout(TIME_LIMIT)
            .connect_timeout(CONNECT_LIMIT)
            // A token is for one origin.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = &config.ca_certificate {
            let pem = std::fs::read(path).map_err(ConfigError::Certificate)?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| ConfigError::NoCertificate(Some(error)))?;
            if certificates.is_empty() {
                return Err(ConfigError::NoCertificate(None));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(ConfigError::HttpClient)?;
        Ok(Self { http, config })
    }

    /// A token of `client` in `tenant` for one of the two other services.
    pub(crate) async fn token(
        &self,
        tenant: &Guid,
        client: &Guid,
        service: Service,
        credential: Credential<'_>,
    ) -> Result<Session<'_>, Failure> {
        let base = self.base(service);
        let url = at(
            &self.config.authority,
            &format!("/{tenant}/oauth2/v2.0/token"),
        );
        let scope = format!("{}/.default", base.as_str().trim_end_matches('/'));
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", client.as_str()),
            ("scope", &scope),
        ];
        match credential {
            Credential::Assertion(assertion) => form.extend([
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", assertion),
            ]),
            Credential::Secret(secret) => form.push(("client_secret", secret)),
        }
        let request = self.http.post(url).form(&form);
        let answer = send(request, Service::Entra).await.map_err(|mut failure| {
            // Entra does not repeat a secret; should it ever, we do not.
            if let Credential::Secret(secret) = credential {
                failure.message = failure.message.replace(secret, "…");
            }
            failure
        })?;
        let token = answer["access_token"]
            .as_str()
            .filter(|token| !token.is_empty())
            .ok_or_else(|| unreadable(Service::Entra))?;
        Ok(Session {
            client: self,
            service,
            said: Said::of(token),
            token: Zeroizing::new(token.to_owned()),
        })
    }

    fn base(&self, service: Service) -> &Url {
        match service {
            Service::Entra => &self.config.authority,
            Service::ResourceManager => &self.config.resource_manager,
            Service::Graph => &self.config.graph,
        }
    }
}

/// What a token says of whom it stands for. It came from Entra over the same
/// connection that it was asked for on, so nobody else can have written it; its
/// signature is for the service that takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Of the service principal.
    pub(crate) object_id: Option<Guid>,
    pub(crate) tenant_id: Option<Guid>,
    /// The application's permissions in the service; `None` of a token that
    /// cannot be read.
    pub(crate) roles: Option<Vec<String>>,
}

impl Said {
    fn of(token: &str) -> Self {
        let Some(claims) = claims(token) else {
            return Self::default();
        };
        let id = |name: &str| claims[name].as_str()?.parse().ok();
        let roles = claims["roles"].as_array().into_iter().flatten();
        Self {
            object_id: id("oid"),
            tenant_id: id("tid"),
            roles: Some(
                roles
                    .filter_map(|role| role.as_str().map(str::to_owned))
                    .collect(),
            ),
        }
    }
}

fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims.is_object().then_some(claims)
}

/// A token, and the service that takes it.
pub(crate) struct Session<'a> {
    client: &'a Client,
    service: Service,
    token: Zeroizing<String>,
    pub(crate) said: Said,
}

impl Session<'_> {
    /// `path` begins with a slash; what of it came from outside is encoded as
    /// far as it must be, never taken for a query or another host.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.send(Method::GET, self.url(path, query), None).await
    }

    pub(crate) async fn post(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: &Value,
    ) -> Result<Value, Failure> {
        self.send(Method::POST, self.url(path, query), Some(body))
            .await
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = at(self.client.base(self.service), path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn send(&self, method: Method, url: Url, body: Option<&Value>) -> Result<Value, Failure> {
        let mut request = self
            .client
            .http
            .request(method, url)
            .bearer_auth(self.token.as_str());
        if let Some(body) = body {
            request = request.json(body);
        }
        send(request, self.service).await
    }

    /// All pages of a list.
    pub(crate) async fn list(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<Value>, Failure> {
        let mut answer = self.get(path, query).await?;
        let mut all = Vec::new();
        for _ in 0..PAGES {
            match answer["value"].take() {
                Value::Array(page) => all.extend(page),
                _ => return Err(unreadable(self.service)),
            }
            let next = answer["nextLink"]
                .as_str()
                .or_else(|| answer["@odata.nextLink"].as_str());
            let Some(next) = next else { return Ok(all) };
            let next = Url::parse(next).map_err(|_| unreadable(self.service))?;
            // The token goes nowhere else.
            if next.origin() != self.client.base(self.service).origin() {
                return Err(unreadable(self.service));
            }
            answer = self.send(Method::GET, next, None).await?;
        }
        Err(Failure::new(
            FailureKind::Invalid,
            "TooManyPages",
            format!("{} lists more than can be read", self.service.title()),
        ))
    }
}

pub(crate) fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

async fn send(request: RequestBuilder, service: Service) -> Result<Value, Failure> {
    let mut answer = request
        .send()
        .await
        .map_err(|error| of_transport(service, &error))?;
    let status = answer.status();
    // A token or a new secret may stand in it.
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| of_transport(service, &error))?
    {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(Failure::new(
                FailureKind::Invalid,
                "AnswerTooLarge",
                format!(
                    "{} answered with more than {BODY_LIMIT} bytes",
                    service.title()
                ),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    if !status.is_success() {
        return Err(of_answer(service, status.as_u16(), &body));
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body).map_err(|_| unreadable(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_a_path() {
        let base = Url::parse("https://management.example/root/").unwrap();
        assert_eq!(
            at(&base, "/subscriptions/x").as_str(),
            "https://management.example/root/subscriptions/x"
        );
        for hostile in ["/a?b=c", "/a#b", "//evil.example/x", "/\\evil"] {
            let url = at(&base, hostile);
            assert_eq!(url.host_str(), Some("management.example"), "{hostile}");
            assert_eq!((url.query(), url.fragment()), (None, None), "{hostile}");
        }
    }

    #[test]
    fn what_a_token_says_is_read_and_what_is_no_token_says_nothing() {
        for token in ["", "a", "a.b.c", "a.e30.c", "a.eyJvaWQiOiJ4In0.c"] {
            assert_eq!(Said::of(token).object_id, None, "{token}");
        }
        // {"roles":["Domain.Read.All"]}
        let said = Said::of("a.eyJyb2xlcyI6WyJEb21haW4uUmVhZC5BbGwiXX0.c");
        assert_eq!(said.roles.unwrap(), ["Domain.Read.All"]);
        assert_eq!(Said::of("a.e30.c").roles.unwrap(), [""; 0]);
        assert_eq!(Said::of("opaque").roles, None);
    }
}
