//! Server-rendered pages over the use cases. Every page works without script;
//! with it, what changes is shown live.

mod assets;
mod drawing;
mod forms;
mod frame;
mod live;
mod page;
mod pages;
mod session;
mod show;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware,
};
use landfall_app::App;
use std::sync::Arc;
use tower_http::set_header::SetResponseHeaderLayer;

/// What the pages need besides the use cases.
#[derive(Clone, Debug)]
pub struct Options {
    /// How people, and a cloud's page that sends them back, reach the pages:
    /// `https://landfall.example.com`.
    pub public_url: String,
}

impl Options {
    /// Then cookies never travel in the clear.
    fn https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

pub(crate) struct Pages {
    app: Arc<App>,
    options: Options,
}

type Shared = Arc<Pages>;

/// All pages, at the root.
pub fn router(app: Arc<App>, options: Options) -> Router {
    let shared = Arc::new(Pages { app, options });
    // No script, style or frame from elsewhere, and no inline script: markup
    // that slipped through escaping would still not run.
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                  connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    let fixed = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    pages::router()
        .layer(middleware::from_fn(forms::same_origin))
        .with_state(shared)
        .merge(assets::router())
        .layer(fixed(header::CONTENT_SECURITY_POLICY, policy))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::REFERRER_POLICY, "same-origin"))
        .layer(fixed(header::CACHE_CONTROL, "no-store"))
}
