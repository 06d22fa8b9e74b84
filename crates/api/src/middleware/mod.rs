//! What happens to every request before and after its route.

pub(crate) mod authentication;
pub(crate) mod idempotency;
mod panic;
pub(crate) mod timeout;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Request, header},
};
use std::sync::atomic::{AtomicU64, Ordering};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
    trace::TraceLayer,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Request ids, traces, security headers and panics, in this order.
pub(crate) fn common<S>(router: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    // An API's answer is never a page: nothing may run or frame it, and it may
    // hold what only this caller may see.
    let headers = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let router = router.layer(CatchPanicLayer::custom(panic::answer));
    let router = headers.into_iter().fold(router, |router, (name, value)| {
        router.layer(SetResponseHeaderLayer::if_not_present(
            name,
            HeaderValue::from_static(value),
        ))
    });
    router.layer(
        ServiceBuilder::new()
            .map_request(without_request_id)
            .layer(SetRequestIdLayer::new(REQUEST_ID, Numbered::default()))
            .layer(TraceLayer::new_for_http().make_span_with(span))
            .layer(PropagateRequestIdLayer::new(REQUEST_ID)),
    )
}

/// The path and no query; no header, so no token.
fn span<B>(request: &Request<B>) -> tracing::Span {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    tracing::info_span!("request", id, method = %request.method(), path = request.uri().path())
}

/// A client's own id would be written to the log as it is.
fn without_request_id<B>(mut request: Request<B>) -> Request<B> {
    request.headers_mut().remove(REQUEST_ID);
    request
}

/// Counts in this process: enough to find a request in this process's log.
#[derive(Clone, Default)]
struct Numbered(std::sync::Arc<AtomicU64>);

impl MakeRequestId for Numbered {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let id = HeaderValue::from_str(&format!("{:x}-{number}", std::process::id())).ok()?;
        Some(RequestId::new(id))
    }
}
