//! REST over the use cases: `/api/v1`, described by OpenAPI 3.1.
//!
//! One file per route in `routes/<noun>/<verb>.rs`. Nothing here decides who
//! may do what: that is `landfall-app`'s. Everything answers JSON, and every
//! error is `application/problem+json`, whoever finds it.

mod extract;
mod health;
mod items;
mod middleware;
mod openapi;
mod problem;
mod routes;
mod stream;
mod well_known;

pub use well_known::issuer_router;

use axum::{
    Router, extract::DefaultBodyLimit, middleware::from_fn, middleware::from_fn_with_state,
    routing::get,
};
use landfall_app::App;
use std::sync::Arc;

pub(crate) type Shared = Arc<App>;

/// Bytes of a request's body. A Score file has its own, smaller limit.
const BODY_LIMIT: usize = 1024 * 1024;

/// The API, `/healthz` and `/readyz`. Give its service the peers' addresses
/// (`into_make_service_with_connect_info::<SocketAddr>()`): without them,
/// refused sign-ins are not limited.
pub fn router(app: Arc<App>) -> Router {
    let (routes, document) = openapi::describe(routes::all()).split_for_parts();
    let document = openapi::Served::new(&document);
    let protected = routes
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        // From the inside out: what is nearest to the route comes first.
        .layer(from_fn_with_state(
            app.clone(),
            middleware::idempotency::replay,
        ))
        .layer(from_fn_with_state(
            app.clone(),
            middleware::authentication::authenticate,
        ))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(middleware::timeout::limit));
    let open = Router::new()
        .route(
            "/api/v1/openapi.json",
            get(move || async move { document.response() }),
        )
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .method_not_allowed_fallback(problem::no_such_method);
    middleware::common(Router::new().nest("/api/v1", protected).merge(open)).with_state(app)
}

/// The OpenAPI document, as `/api/v1/openapi.json` serves it.
pub fn openapi_document() -> String {
    openapi::to_json(openapi::describe(routes::all()).get_openapi())
}
