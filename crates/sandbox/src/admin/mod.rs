//! `/_sandbox`: what a test does to the cloud behind the clients' backs, and
//! what it may know about it.
//!
//! Unauthenticated, on loopback only. Bodies are JSON with a JSON content type,
//! which a web page of another origin cannot send without asking first.
//!
//! | request | body or query |
//! | --- | --- |
//! | `POST faults` | `{"kind": "fail" \| "fail_with_identifier" \| "never_ends" \| "lost_answer" \| "http_500" \| "throttle", "code", "message", "match": {"account", "region", "service", "operation", "type", "identifier"}, "times": 1}`; `GET` lists, `DELETE` clears |
//! | `POST clock` | `{"advance_seconds": N}` moves simulated and wall time; `GET` shows them |
//! | `POST settings` | `{"throttle", "error_rate", "iam_lag_seconds"}`, each optional |
//! | `POST iam/role` | `{"account", "role", "delete": true}` or any of `"trust"`, `"inline": {name: document or null}`, `"attach"`, `"detach"`, `"boundary"`, `"max_session_duration"`, `"tags"`; `"immediate": true` skips the lag |
//! | `POST iam/scp` | `{"account", "policy": document or null}` |
//! | `POST issuers` | `{"url", "served_at"}`: where the discovery document and keys of the token issuer with that https URL are served on loopback; `"served_at": null` makes it unreachable |
//! | `POST regions` | `{"account", "region", "enabled"}`, for opt-in regions |
//! | `POST resources/…` | see [`crate::cloudcontrol`] |
//! | `POST reset` | everything but accounts and keys is forgotten |
//! | `GET inventory` | accounts with roles, policies, resources |
//! | `GET requests` | `?after=SEQ&limit&service&operation&account&type` |

mod error;
mod faults;
mod identity;
mod views;

pub(crate) use error::AdminError;

use crate::shared::Shared;
use axum::Router;
use axum::routing::{get, post};
use std::sync::Arc;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(
            "/_sandbox/clock",
            get(views::clock).post(faults::move_clock),
        )
        .route("/_sandbox/inventory", get(views::inventory))
        .route("/_sandbox/requests", get(views::requests))
        .route(
            "/_sandbox/faults",
            get(faults::list).post(faults::add).delete(faults::clear),
        )
        .route("/_sandbox/settings", post(faults::settings))
        .route("/_sandbox/reset", post(faults::reset))
        .route("/_sandbox/iam/role", post(identity::role))
        .route("/_sandbox/iam/scp", post(identity::scp))
        .route("/_sandbox/issuers", post(identity::issuer))
        .route("/_sandbox/regions", post(identity::region))
        .with_state(shared)
}
