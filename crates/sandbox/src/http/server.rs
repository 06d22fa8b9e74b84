//! From a plain request to its answer.

use super::dispatch::{self, Outcome};
use super::listen::{self, LostAnswer};
use super::request::{BODY_LIMIT, Captured};
use super::templates;
use crate::shared::Shared;
use crate::{admin, azure, cloudcontrol, cloudformation, console, gcp, services};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::ServiceExt;

/// One listening sandbox.
pub(crate) struct Server {
    shared: Arc<Shared>,
    pages: axum::Router,
}

impl Server {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let pages = axum::Router::new()
            .merge(admin::router(Arc::clone(&shared)))
            .merge(azure::admin_router(Arc::clone(&shared)))
            .merge(cloudcontrol::admin_router(Arc::clone(&shared)))
            .merge(gcp::admin_router(Arc::clone(&shared)))
            .merge(console::router(Arc::clone(&shared)))
            .merge(services::router(Arc::clone(&shared)))
            .merge(templates::router(Arc::clone(&shared)));
        Self { shared, pages }
    }

    /// Serves until `stop` turns true.
    pub(crate) async fn run(self, listener: TcpListener, stop: watch::Receiver<bool>) {
        let server = Arc::new(self);
        listen::run(listener, stop, |stream, stop| {
            let server = Arc::clone(&server);
            async move { listen::serve(stream, stop, |request| server.answer(request)).await }
        })
        .await;
    }

    async fn answer(&self, mut request: Request) -> Result<Response<Body>, LostAnswer> {
        // Whoever resolves a load balancer's name to this address means its service.
        let meant = services::by_host(request.headers(), request.uri().path());
        if let Some(uri) = meant.and_then(|path| path.parse().ok()) {
            *request.uri_mut() = uri;
        }
        let path = request.uri().path();
        let page = ["/_sandbox", "/console", "/services", "/templates"]
            .iter()
            .any(|prefix| {
                path.strip_prefix(prefix)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
        if page {
            return Ok(self.page(request).await);
        }
        let (parts, body) = request.into_parts();
        let body = match to_bytes(body, BODY_LIMIT).await {
            Ok(body) => body,
            Err(_) => return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
        };
        let captured = Captured::new(parts, body);
        if captured.path.starts_with("/gcp/") {
            return gcp::answer(&self.shared, captured).await.ok_or(LostAnswer);
        }
        match dispatch::call(&self.shared, &captured).await {
            Outcome::Lost => Err(LostAnswer),
            Outcome::Answer {
                rendered,
                request_id,
            } => {
                let mut response = Response::builder()
                    .status(rendered.status)
                    .header("x-amzn-requestid", request_id)
                    .header(header::CONTENT_TYPE, rendered.content_type);
                if let Some(kind) = rendered.error_type {
                    response = response.header("x-amzn-errortype", kind);
                }
                Ok(response
                    .body(Body::from(rendered.body))
                    .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()))
            }
        }
    }

    /// Pages and endpoints that are no AWS API.
    async fn page(&self, request: Request) -> Response<Body> {
        settle(&self.shared);
        let (parts, body) = request.into_parts();
        let body = match to_bytes(body, BODY_LIMIT).await {
            Ok(body) => body,
            Err(_) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        };
        let request = Request::from_parts(parts, Body::from(body));
        let response = match self.pages.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        match self.shared.snapshots.persist(&self.shared).await {
            Ok(()) => response,
            Err(error) => {
                tracing::error!(%error, "writing the snapshot failed");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// Applies what simulated time has brought, so that every request sees the
/// cloud as it is now.
pub(crate) fn settle(shared: &Shared) {
    let mut world = shared.world();
    cloudcontrol::settle(&mut world);
    cloudformation::settle(&mut world);
}
