//! Console pages that stand in for AWS's, as far as CloudFormation's
//! quick-create links and deleting a stack go, and for a project's in Google's.
//!
//! Whoever can reach loopback is the administrator of whichever account they
//! pick: that is the simulation. Even so, every page escapes what it shows, and
//! every change needs a token that another site cannot read, so that looking
//! at the sandbox in a browser opens nothing to other pages in it.

mod actions;
mod form;
mod google;
pub(crate) mod html;
mod pages;
mod session;

use crate::shared::Shared;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use std::sync::Arc;

/// Scripts come from here and nowhere else, and forms go nowhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Routes under `/console`.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/console", get(home))
        .route("/console/", get(home))
        .route("/console/console.js", get(script))
        .route("/console/cloudformation/home", get(pages::home))
        .route("/console/cloudformation/quick-create", get(pages::review))
        .route("/console/cloudformation/stack", get(pages::stack))
        .route(
            "/console/cloudformation/stacks",
            get(pages::home).post(actions::create),
        )
        .route(
            "/console/cloudformation/stacks/delete",
            post(actions::delete),
        )
        .route("/console/gcp", get(google::home))
        .route("/console/gcp/keys/create", post(google::create_key))
        .route("/console/gcp/accounts/delete", post(google::delete_account))
        .route("/console/gcp/pools/delete", post(google::delete_pool))
        .layer(map_response(secured))
        .with_state(shared)
}

async fn home() -> Redirect {
    Redirect::to("/console/cloudformation/home")
}

async fn script() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        include_str!("console.js"),
    )
}

async fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
