//! Durable work: claimed rows, driven to their end.

use crate::App;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Claims and does due work until `shutdown`.
pub async fn run(app: Arc<App>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = app.hub.work.notified() => {}
        }
    }
}
