//! The issuer's documents, for clouds: no token, no secret, and the same for
//! everybody.

use crate::{middleware, problem};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    routing::get,
};
use landfall_model::{
    Code, Error,
    issuer::{DISCOVERY_PATH, Issuer, IssuerError, JWKS_PATH},
    signing_key::MAX_AGE,
};
use serde_json::Value;
use std::sync::Arc;

type Document = ([(HeaderName, HeaderValue); 1], Json<Value>);

/// [`DISCOVERY_PATH`] and [`JWKS_PATH`], at the root of what serves them. Without an issuer's URL both are not found.
pub fn issuer_router(issuer: Arc<dyn Issuer>) -> Router {
    let router = Router::new()
        .route(DISCOVERY_PATH, get(discovery))
        .route(JWKS_PATH, get(jwks))
        .method_not_allowed_fallback(problem::no_such_method);
    middleware::common(router).with_state(issuer)
}

async fn discovery(State(issuer): State<Arc<dyn Issuer>>) -> problem::Answer<Document> {
    Ok(cached(issuer.discovery().ok_or_else(none)?))
}

async fn jwks(State(issuer): State<Arc<dyn Issuer>>) -> problem::Answer<Document> {
    // Asked first: the key set of a server that issues nothing would make its
    // first key for whoever comes by.
    issuer.url().ok_or_else(none)?;
    let keys = issuer.jwks().await.map_err(failed)?;
    Ok(cached(keys))
}

fn cached(document: Value) -> Document {
    let value = format!("public, max-age={}", MAX_AGE.as_secs());
    let value = HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("no-cache"));
    ([(header::CACHE_CONTROL, value)], Json(document))
}

fn none() -> Error {
    Error::new(
        Code::NotFound,
        "this server is no OIDC issuer",
        "set public_url to an https address without a port, or issuer.url",
    )
}

fn failed(error: IssuerError) -> Error {
    match error {
        IssuerError::Store(_) => Error::new(
            Code::StoreUnavailable,
            "the database did not answer (key set)",
            "try again in a moment",
        )
        .with_source(error),
        _ => Error::internal("key set", error),
    }
}
