//! Token issuers outside the clouds, and their keys.
//!
//! Every cloud fetches an issuer's documents from its public https address. The
//! sandbox stays on loopback: `POST /_sandbox/issuers` says where the documents
//! of a canonical address are served. Nothing else is ever asked.

use crate::jwt::KeySet;
use crate::shared::Shared;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpStream;
use url::Url;

/// How long an issuer may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
const LARGEST: usize = 256 * 1024;

/// Why an issuer's keys are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssuerError {
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Unusable(String),
}

/// Reads the issuer's discovery document, and the key set that it names. Asked
/// at every call: unlike the clouds, the sandbox keeps nothing.
pub(crate) async fn key_set(shared: &Shared, issuer: &str) -> Result<KeySet, IssuerError> {
    let known = shared.world().issuers.clone();
    let found = async {
        let at = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let discovery = document(&known, &at).await?;
        if discovery["issuer"].as_str() != Some(issuer) {
            return Err(IssuerError::Unusable(format!(
                "the discovery document of {issuer} is of another issuer"
            )));
        }
        let keys = discovery["jwks_uri"].as_str().ok_or_else(|| {
            IssuerError::Unusable("the discovery document has no jwks_uri".to_owned())
        })?;
        let set = document(&known, keys).await?;
        KeySet::read(&set).map_err(IssuerError::Unusable)
    };
    let result = tokio::time::timeout(PATIENCE, found)
        .await
        .unwrap_or_else(|_| Err(IssuerError::Unreachable("no answer in time".to_owned())));
    if let Err(error) = &result {
        tracing::debug!(%error, issuer, "the issuer's keys are not known");
    }
    result
}

/// Where a canonical URL is served, by the longest issuer that begins it.
fn served_at(known: &BTreeMap<String, String>, url: &str) -> Option<String> {
    known
        .iter()
        .filter_map(|(canonical, served)| {
            let rest = url.strip_prefix(canonical.as_str())?;
            (rest.is_empty() || rest.starts_with('/'))
                .then(|| (canonical.len(), format!("{served}{rest}")))
        })
        .max()
        .map(|(_, at)| at)
}

async fn document(known: &BTreeMap<String, String>, url: &str) -> Result<Value, IssuerError> {
    let at = served_at(known, url)
        .ok_or_else(|| IssuerError::Unreachable(format!("{url} is served nowhere")))?;
    let unreachable = |why: String| IssuerError::Unreachable(format!("{url} at {at}: {why}"));
    let (status, body) = get(&at).await.map_err(unreachable)?;
    if status.is_server_error() {
        return Err(unreachable(status.to_string()));
    }
    if status != StatusCode::OK {
        return Err(IssuerError::Unusable(format!("{url} answered {status}")));
    }
    serde_json::from_slice(&body).map_err(|_| IssuerError::Unusable(format!("{url} is not JSON")))
}

/// One plain request. The address is on loopback, see [`checked`].
async fn get(at: &str) -> Result<(StatusCode, axum::body::Bytes), String> {
    let url = Url::parse(at).map_err(|error| error.to_string())?;
    let (host, port) = (
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(80),
    );
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port))
        .await
        .map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Body>(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
    let request = Request::get(url.path())
        .header(header::HOST, format!("{host}:{port}"))
        .header(header::ACCEPT, "application/json")
        .header(header::CONNECTION, "close")
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = response.status();
        let body = to_bytes(Body::new(response.into_body()), LARGEST)
            .await
            .map_err(|error| error.to_string())?;
        Ok((status, body))
    };
    tokio::pin!(answer, connection);
    // The connection is driven by whoever waits for the answer: nothing
    // outlives the call.
    tokio::select! {
        answer = &mut answer => answer,
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(error.to_string()),
        },
    }
}

/// Checks an issuer's canonical address, and that it is served on loopback.
pub(crate) fn checked(url: &str, served_at: &str) -> Result<(String, String), String> {
    let canonical = Url::parse(url).map_err(|error| format!("url: {error}"))?;
    if canonical.scheme() != "https" || canonical.port().is_some() || canonical.query().is_some() {
        return Err("url: an issuer is https, without port and query".to_owned());
    }
    let served = Url::parse(served_at).map_err(|error| format!("served_at: {error}"))?;
    let loopback = match served.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if served.scheme() != "http" || !loopback || served.query().is_some() {
        return Err("served_at: an http address on loopback, without query".to_owned());
    }
    Ok((
        url.trim_end_matches('/').to_owned(),
        served_at.trim_end_matches('/').to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_issuer_that_begins_an_address_serves_it() {
        let known = BTreeMap::from([
            (
                "https://id.example".to_owned(),
                "http://127.0.0.1:1".to_owned(),
            ),
            (
                "https://id.example/a".to_owned(),
                "http://127.0.0.1:2/x".to_owned(),
            ),
        ]);
        for (url, at) in [
            ("https://id.example/k", Some("http://127.0.0.1:1/k")),
            ("https://id.example/a/k", Some("http://127.0.0.1:2/x/k")),
            ("https://id.example/ab", Some("http://127.0.0.1:1/ab")),
            ("https://id.example.org/k", None),
            ("http://id.example/k", None),
        ] {
            assert_eq!(served_at(&known, url).as_deref(), at, "{url}");
        }
    }

    #[test]
    fn issuers_are_https_and_served_on_loopback() {
        assert!(checked("https://id.example/x/", "http://127.0.0.1:80/").is_ok());
        for (url, served) in [
            ("http://id.example", "http://127.0.0.1:1"),
            ("https://id.example:444", "http://127.0.0.1:1"),
            ("https://id.example?x", "http://127.0.0.1:1"),
            ("https://id.example", "http://10.0.0.1:1"),
            ("https://id.example", "https://127.0.0.1:1"),
            ("https://id.example", "file:///etc/passwd"),
            ("nonsense", "http://127.0.0.1:1"),
        ] {
            assert!(checked(url, served).is_err(), "{url} {served}");
        }
    }
}
