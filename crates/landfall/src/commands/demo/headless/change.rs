//! What becomes of connections: secrets that are replaced, keys that are given
//! up, grants that are taken back.

use super::{
    PATIENCE,
    connect::{Connected, LOOK, asked},
    report::{MigratedLine, RevokedLine, RotatedLine, name, seconds},
    ways::Later,
};
use crate::{commands::demo::journey::Api, server::Server};
use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use landfall_model::connection::{Connection, RotationStep, State};
use serde_json::{Value, json};
use std::time::Instant;

/// The connection at `path`, once it is as `done` wants it; refuses to wait on
/// when `lost` says why.
async fn until(
    api: &Api,
    path: &str,
    done: impl Fn(&Connection) -> bool,
    lost: impl Fn(&Connection) -> Option<String>,
) -> anyhow::Result<Connection> {
    let started = Instant::now();
    loop {
        let connection: Connection = api.get(path).await?;
        if done(&connection) {
            return Ok(connection);
        }
        if let Some(why) = lost(&connection) {
            anyhow::bail!(why);
        }
        ensure!(
            started.elapsed() < PATIENCE,
            "it did not get there: {}",
            serde_json::to_string(&connection)?
        );
        tokio::time::sleep(LOOK).await;
    }
}

/// Landfall makes new secrets where it may, and takes the old ones away.
pub async fn rotate(api: &Api, all: &[Connected]) -> anyhow::Result<Vec<RotatedLine>> {
    let rotated = all
        .iter()
        .filter(|one| matches!(one.way.later, Later::IsRotated));
    try_join_all(rotated.map(|one| async move {
        let (cloud, method) = name(one.way.method);
        rotate_one(api, one)
            .await
            .with_context(|| format!("replacing the secret of {cloud} by {method}"))
    }))
    .await
}

async fn rotate_one(api: &Api, one: &Connected) -> anyhow::Result<RotatedLine> {
    let old = one.connection().target.secret_id().cloned();
    let rotation = format!("{}/rotation", one.path());
    let _: Value = api.post(&rotation, json!({})).await?;
    let gave_up = |connection: &Connection| match &connection.rotation.as_ref()?.step {
        RotationStep::GaveUp { reason } => Some(format!("the secret was kept: {reason}")),
        _ => None,
    };
    let ended = |connection: &Connection| connection.rotation.is_none();
    let connection = until(api, &one.path(), ended, gave_up).await?;
    ensure!(
        connection.target.secret_id() != old.as_ref(),
        "the old secret is still in use"
    );
    ensure!(
        connection.state.can_provision(),
        "the connection is {} with the new secret",
        connection.state.as_str()
    );
    let (cloud, method) = name(one.way.method);
    Ok(RotatedLine {
        cloud,
        method,
        by: "landfall",
    })
}

/// Connections by key move to what needs none, and the keys are deleted.
pub async fn migrate(
    api: &Api,
    server: &Server,
    all: &[Connected],
) -> anyhow::Result<Vec<MigratedLine>> {
    try_join_all(all.iter().map(|one| async move {
        let (cloud, method) = name(one.way.method);
        migrate_one(api, server, one)
            .await
            .with_context(|| format!("moving {cloud} away from {method}"))
    }))
    .await
    .map(|lines| lines.into_iter().flatten().collect())
}

async fn migrate_one(
    api: &Api,
    server: &Server,
    one: &Connected,
) -> anyhow::Result<Option<MigratedLine>> {
    let Later::Moves(to, customer) = &one.way.later else {
        return Ok(None);
    };
    let path = one.path();
    let body = json!({ "method": to.as_str() });
    let moving: Value = api.post(&format!("{path}/migration"), body).await?;
    let asked = asked(server, &moving).await?;
    if let Some(entered) = customer.grant(&asked).await? {
        let _: Value = api.patch(&path, entered).await?;
    }
    let never = |_: &Connection| None;
    let moved = |connection: &Connection| connection.migration.is_none();
    let connection = until(api, &path, moved, never).await?;
    ensure!(connection.method() == *to, "it did not move");
    ensure!(
        connection.target.secret_id().is_none(),
        "the key is still kept"
    );

    // Nobody uses the key any more; Landfall asks for its deletion until the
    // cloud says that it is gone.
    ensure!(
        connection.left_behind.is_some(),
        "nobody is told of the old key"
    );
    one.way.customer.clear_up(&one.asked).await?;
    let started = Instant::now();
    let connection = loop {
        let _: Value = api.post(&format!("{path}/verify"), json!({})).await?;
        let connection: Connection = api.get(&path).await?;
        if connection.left_behind.is_none() || started.elapsed() > PATIENCE {
            break connection;
        }
        tokio::time::sleep(LOOK).await;
    };
    ensure!(
        connection.state.can_provision(),
        "the connection is {} without the key",
        connection.state.as_str()
    );
    let (cloud, from) = name(one.way.method);
    Ok(Some(MigratedLine {
        cloud,
        from,
        to: to.as_str(),
        old_key_deleted: connection.left_behind.is_none(),
    }))
}

/// The customers who take their grants back, at the same time.
pub async fn revoke(api: &Api, all: &[Connected]) -> anyhow::Result<Vec<RevokedLine>> {
    let revoked = all
        .iter()
        .filter(|one| matches!(one.way.later, Later::IsRevoked));
    try_join_all(revoked.map(|one| async move {
        let (cloud, method) = name(one.way.method);
        revoke_one(api, one)
            .await
            .with_context(|| format!("taking back {cloud} by {method}"))
    }))
    .await
}

/// Landfall looks at each of its connections every few hours, and before it
/// plans; nobody waits for that here.
async fn revoke_one(api: &Api, one: &Connected) -> anyhow::Result<RevokedLine> {
    one.way.customer.revoke(&one.asked).await?;
    let taken_back = Instant::now();
    let path = one.path();
    loop {
        let _: Value = api.post(&format!("{path}/verify"), json!({})).await?;
        let connection: Connection = api.get(&path).await?;
        if let State::Revoked { .. } = connection.state {
            let (cloud, method) = name(one.way.method);
            return Ok(RevokedLine {
                cloud,
                method,
                state: connection.state.as_str(),
                seconds: seconds(taken_back.elapsed()),
            });
        }
        ensure!(
            taken_back.elapsed() < PATIENCE,
            "it was never missed: the connection is {}",
            connection.state.as_str()
        );
        tokio::time::sleep(LOOK).await;
    }
}
