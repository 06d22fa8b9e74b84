use crate::{Shared, problem::Answer};
use axum::{Json, extract::State};
use serde_json::{Value, json};

/// The process runs.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// The database answers.
pub(crate) async fn ready(State(app): State<Shared>) -> Answer<Json<Value>> {
    app.ready().await?;
    Ok(Json(json!({ "status": "ready" })))
}
