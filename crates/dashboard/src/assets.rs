use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};

/// What the pages link to. Compiled in: the binary needs no folder beside it.
const ASSETS: [(&str, &str, &str); 5] = [
    (
        "/assets/style.css",
        "text/css; charset=utf-8",
        include_str!("../assets/style.css"),
    ),
    (
        "/assets/page.js",
        "text/javascript; charset=utf-8",
        include_str!("../assets/page.js"),
    ),
    (
        "/assets/icon.svg",
        "image/svg+xml",
        include_str!("../assets/icon.svg"),
    ),
    (
        "/assets/htmx.js",
        "text/javascript; charset=utf-8",
        include_str!("../assets/vendor/htmx-2.0.11.min.js"),
    ),
    (
        "/assets/sse.js",
        "text/javascript; charset=utf-8",
        include_str!("../assets/vendor/htmx-ext-sse-2.2.4.min.js"),
    ),
];

pub fn router() -> Router {
    ASSETS
        .iter()
        .fold(Router::new(), |router, (path, kind, body)| {
            router.route(path, get(move || async move { serve(kind, body) }))
        })
}

fn serve(kind: &'static str, body: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        // Short: a new binary under the same address brings new assets.
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, body).into_response()
}
