//! Template objects, served as from a bucket: `PUT` and `GET
//! /templates/<bucket>/<key>`. A bucket policy is not simulated: who can reach
//! loopback may read and write.

use crate::shared::Shared;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/templates/{*key}", get(read).put(write).delete(remove))
        .with_state(shared)
}

async fn write(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    body: String,
) -> Response {
    if !key.contains('/') {
        return (
            StatusCode::BAD_REQUEST,
            "an object needs a bucket and a key\n",
        )
            .into_response();
    }
    shared.world().templates.insert(key, body);
    StatusCode::OK.into_response()
}

async fn read(State(shared): State<Arc<Shared>>, Path(key): Path<String>) -> Response {
    let world = shared.world();
    let Some(body) = world.templates.get(&key) else {
        return (
            StatusCode::NOT_FOUND,
            "<Error><Code>NoSuchKey</Code></Error>",
        )
            .into_response();
    };
    let content_type = if key.ends_with(".json") {
        "application/json"
    } else {
        "text/yaml"
    };
    ([(header::CONTENT_TYPE, content_type)], body.clone()).into_response()
}

async fn remove(State(shared): State<Arc<Shared>>, Path(key): Path<String>) -> StatusCode {
    shared.world().templates.remove(&key);
    StatusCode::NO_CONTENT
}
