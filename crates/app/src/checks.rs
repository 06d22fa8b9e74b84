//! The history of verifications.

use crate::{Actor, App, Permission, audit, connections, failed};
use landfall_model::{check::CheckRun, error::Result, id::ConnectionId};

/// Newest first.
pub async fn list(
    app: &App,
    actor: &Actor,
    connection_id: &ConnectionId,
    limit: Option<u32>,
) -> Result<Vec<CheckRun>> {
    audit::read(app, actor, Permission::ConnectionRead).await?;
    connections::find(app, actor.organization_id(), connection_id).await?;
    app.store
        .check_runs(
            actor.organization_id(),
            connection_id,
            limit.unwrap_or(20).clamp(1, 200),
        )
        .await
        .map_err(failed("reading the checks"))
}
