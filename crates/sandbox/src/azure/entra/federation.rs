//! Keys of other issuers, fetched as Entra fetches them: the discovery
//! document below the issuer's URL, and the key set that it names.

use super::super::keys::Unverified;
use super::super::request::Request;
use crate::shared::Shared;
use serde_json::Value;
use std::sync::Arc;

/// What was found at the issuer that an assertion names.
#[derive(Debug, Clone)]
pub(in super::super) enum Keys {
    /// No assertion, or nobody federates with its issuer.
    NotNeeded,
    Found {
        issuer: String,
        keys: Vec<Value>,
    },
    Unreachable {
        issuer: String,
        why: String,
    },
}

/// Fetches the keys that this request's assertion needs. Only issuers that some
/// credential names are asked: an assertion cannot make the sandbox call
/// anybody.
pub(in super::super) async fn foreign_keys(
    shared: &Arc<Shared>,
    http: &reqwest::Client,
    request: &Request,
) -> Keys {
    if request.segments.last().is_none_or(|last| last != "token") {
        return Keys::NotNeeded;
    }
    let form = request.form();
    let Some(issuer) = form
        .get("client_assertion")
        .and_then(Unverified::read)
        .and_then(|token| token.claims["iss"].as_str().map(str::to_owned))
    else {
        return Keys::NotNeeded;
    };
    let served_at = {
        let world = shared.world();
        let federated = world.azure.tenants.values().any(|tenant| {
            let mut all = tenant.applications.values().flat_map(|app| &app.federated);
            all.any(|credential| credential.issuer == issuer)
        });
        if !federated {
            return Keys::NotNeeded;
        }
        // An issuer may be served elsewhere for Azure alone.
        let served_at = world.azure.issuers.get(&issuer);
        served_at.or_else(|| world.issuers.get(&issuer)).cloned()
    };
    let Some(served_at) = served_at else {
        let why = "no address is known for it: POST /_sandbox/azure/issuers".to_owned();
        return Keys::Unreachable { issuer, why };
    };
    match fetch(http, &issuer, &served_at).await {
        Ok(keys) => Keys::Found { issuer, keys },
        Err(why) => Keys::Unreachable { issuer, why },
    }
}

async fn fetch(
    http: &reqwest::Client,
    issuer: &str,
    served_at: &str,
) -> Result<Vec<Value>, String> {
    let issuer = issuer.trim_end_matches('/');
    let document = get(
        http,
        &format!("{served_at}/.well-known/openid-configuration"),
    )
    .await?;
    let says = document["issuer"].as_str().unwrap_or_default();
    if says.trim_end_matches('/') != issuer {
        return Err(format!("its discovery document names the issuer '{says}'"));
    }
    let uri = document["jwks_uri"].as_str().unwrap_or_default();
    // Everything below the canonical URL is served below the loopback one; a
    // key set elsewhere is out of reach.
    let path = uri
        .strip_prefix(issuer)
        .filter(|path| path.starts_with('/'))
        .ok_or_else(|| format!("its key set '{uri}' does not lie below the issuer's URL"))?;
    let set = get(http, &format!("{served_at}{path}")).await?;
    set["keys"]
        .as_array()
        .cloned()
        .ok_or_else(|| "its key set has no keys".to_owned())
}

async fn get(http: &reqwest::Client, url: &str) -> Result<Value, String> {
    let answer = http
        .get(url)
        .send()
        .await
        .map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("{url} answers {}", answer.status()));
    }
    answer.json().await.map_err(|error| error.to_string())
}
