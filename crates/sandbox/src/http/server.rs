//! Accepting connections and answering requests.

use super::dispatch::{self, Outcome};
use super::request::{BODY_LIMIT, Captured};
use super::templates;
use crate::shared::Shared;
use crate::{admin, azure, cloudcontrol, cloudformation, console, gcp, services};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// How long open connections may finish what they do when the sandbox stops.
const GRACE: Duration = Duration::from_secs(2);

/// A connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the answer is lost on purpose")]
struct LostAnswer;

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
    pub(crate) async fn run(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let server = Arc::new(self);
        let stopped = stop.clone();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stopping(&mut stop) => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(Arc::clone(&server), stream, stopped.clone()));
                    }
                    Err(error) => {
                        // Out of file descriptors, most likely: others close theirs.
                        tracing::warn!(%error, "accepting a connection failed");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
        drop(listener);
        let finished = async { while connections.join_next().await.is_some() {} };
        // Whoever does not finish is cut off when the set is dropped.
        let _ = tokio::time::timeout(GRACE, finished).await;
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

/// Returns when the sandbox is told to stop, or nobody is left to tell it.
async fn stopping(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn connection(server: Arc<Server>, stream: TcpStream, mut stop: watch::Receiver<bool>) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let server = Arc::clone(&server);
        async move { server.answer(request.map(Body::new)).await }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let stopped = tokio::select! {
        // A service error (LostAnswer) closes the connection with nothing sent.
        result = connection.as_mut() => { log_end(result); false }
        () = stopping(&mut stop) => true,
    };
    if stopped {
        connection.as_mut().graceful_shutdown();
        log_end(connection.await);
    }
}

fn log_end(result: Result<(), hyper::Error>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
