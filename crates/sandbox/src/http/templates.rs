//! Template objects, served as from a bucket: `PUT`, `DELETE` and `GET
//! /templates/<bucket>/<key>`. Everybody may read, as from a bucket with a
//! public policy. Writing takes S3's signature and the writer's own policies.

use super::authenticate::authenticate_s3;
use super::request::{BODY_LIMIT, Captured};
use crate::cloudcontrol::bucket_owner;
use crate::iam::{Context, authorize};
use crate::shared::Shared;
use crate::wire::{AwsError, Xml};
use crate::world::{AccountRole, World};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
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
    request: Request,
) -> Response {
    let Some(request) = captured(request).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut world = shared.world();
    if let Err(error) = allow(&world, &request, "s3:PutObject", &key) {
        return refusal(&error, &key);
    }
    let Ok(body) = String::from_utf8(request.body.to_vec()) else {
        return (StatusCode::BAD_REQUEST, "a template is text\n").into_response();
    };
    world.templates.insert(key, body);
    StatusCode::OK.into_response()
}

async fn read(State(shared): State<Arc<Shared>>, Path(key): Path<String>) -> Response {
    let world = shared.world();
    let Some(body) = world.templates.get(&key) else {
        let missing = AwsError::new(404, "NoSuchKey", "The specified key does not exist.");
        return refusal(&missing, &key);
    };
    let content_type = if key.ends_with(".json") {
        "application/json"
    } else {
        "text/yaml"
    };
    ([(header::CONTENT_TYPE, content_type)], body.clone()).into_response()
}

async fn remove(
    State(shared): State<Arc<Shared>>,
    Path(key): Path<String>,
    request: Request,
) -> Response {
    let Some(request) = captured(request).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut world = shared.world();
    if let Err(error) = allow(&world, &request, "s3:DeleteObject", &key) {
        return refusal(&error, &key);
    }
    world.templates.remove(&key);
    StatusCode::NO_CONTENT.into_response()
}

async fn captured(request: Request) -> Option<Captured> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await.ok()?;
    Some(Captured::new(parts, body))
}

/// Whether who signed the request may do this to an object.
fn allow(world: &World, request: &Captured, action: &str, key: &str) -> Result<(), AwsError> {
    let caller = authenticate_s3(world, request)?;
    let Some((bucket, _)) = key.split_once('/').filter(|(_, rest)| !rest.is_empty()) else {
        return Err(AwsError::bad(
            "InvalidRequest",
            "an object needs a bucket and a key",
        ));
    };
    // A bucket that nobody made is the operator's, so that a test need not make
    // it. Bucket policies are not evaluated: nobody writes across accounts.
    let owner = bucket_owner(world, bucket).or_else(|| {
        world
            .accounts
            .values()
            .find(|account| account.role == AccountRole::Operator)
            .map(|account| account.id.as_str())
    });
    if owner != Some(caller.account_id.as_str()) {
        return Err(AwsError::new(403, "AccessDenied", "Access Denied"));
    }
    let object = format!("arn:aws:s3:::{key}");
    authorize(world, &caller, action, &object, &Context::new()).map_err(|denied| denied.for_query())
}

/// An error as S3 writes it, without an envelope.
fn refusal(error: &AwsError, key: &str) -> Response {
    let mut xml = Xml::new();
    xml.node("Error", |xml| {
        xml.text("Code", &error.code)
            .text("Message", &error.message)
            .text("Resource", format!("/{key}"));
    });
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    (
        status,
        [(header::CONTENT_TYPE, "application/xml")],
        xml.as_str().to_owned(),
    )
        .into_response()
}
