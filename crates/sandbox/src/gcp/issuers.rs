//! Fetching the keys of an OIDC issuer, as Google's STS does for a provider
//! without uploaded keys.
//!
//! The canonical https URL is mapped to a loopback address by
//! `/_sandbox/gcp/issuers`; an issuer that is not mapped cannot be reached.

use super::jwt::Jwks;
use serde_json::Value;
use std::time::Duration;

/// Whether an address may be asked: the sandbox talks to loopback only.
pub(super) fn loopback(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| {
        url.scheme() == "http"
            && match url.host() {
                Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
                Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
                Some(url::Host::Domain(name)) => name == "localhost",
                None => false,
            }
    })
}

/// The issuer's keys; `served_at` stands for `issuer`.
pub(super) async fn fetch(issuer: &str, served_at: &str) -> Result<Jwks, String> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    let get = async |url: String| -> Result<String, String> {
        if !loopback(&url) {
            return Err(format!("{url} is not mapped to loopback"));
        }
        let response = client
            .get(&url)
            .send()
            .await
            .map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("{url} answered {}", response.status()));
        }
        response.text().await.map_err(|error| error.to_string())
    };
    let (issuer, served_at) = (
        issuer.trim_end_matches('/'),
        served_at.trim_end_matches('/'),
    );
    let document = get(format!("{served_at}/.well-known/openid-configuration")).await?;
    let document: Value =
        serde_json::from_str(&document).map_err(|_| "the discovery document is not JSON")?;
    if document["issuer"]
        .as_str()
        .map(|url| url.trim_end_matches('/'))
        != Some(issuer)
    {
        return Err("the discovery document names another issuer".to_owned());
    }
    let jwks = document["jwks_uri"]
        .as_str()
        .ok_or("the discovery document has no jwks_uri")?;
    // The document names canonical URLs; what lies under the issuer is served
    // where the issuer is.
    let at = match jwks.strip_prefix(issuer) {
        Some(path) => format!("{served_at}{path}"),
        None => jwks.to_owned(),
    };
    Jwks::parse(&get(at).await?)
}
