//! Connecting by every method, each as its own customer does it.

use super::{
    PATIENCE,
    report::{CheckLine, name},
};
use crate::{
    commands::demo::{customer::Asked, journey::Api, ways::Way},
    connectors,
    server::Server,
};
use anyhow::{Context as _, bail, ensure};
use landfall_model::{
    check::CheckRun,
    connection::{Connection, Method},
    grant::{GrantGuide, GrantSpec, ServerPrincipal},
};
use serde_json::{Value, json};
use std::time::Duration;

/// How many different checks a connection is worth at least.
const CHECKS: usize = 12;
/// Between looks at one connection: they are all looked at together, and an
/// organization's requests are counted.
pub const LOOK: Duration = Duration::from_millis(300);

/// A connection that works, by the way that it was made.
pub struct Connected {
    pub way: Way,
    pub asked: Asked,
    pub checks: Vec<CheckLine>,
}

impl Connected {
    pub fn connection(&self) -> &Connection {
        &self.asked.connection
    }

    pub fn path(&self) -> String {
        format!("/connections/{}", self.connection().id)
    }
}

/// All of them at the same time.
pub async fn all(api: &Api, server: &Server, ways: Vec<Way>) -> anyhow::Result<Vec<Connected>> {
    futures::future::try_join_all(ways.into_iter().map(|way| async move {
        let method = way.method;
        connect(api, server, way)
            .await
            .with_context(|| format!("connecting {} by {}", method.cloud(), method.as_str()))
    }))
    .await
}

async fn connect(api: &Api, server: &Server, way: Way) -> anyhow::Result<Connected> {
    let (cloud, method) = name(way.method);
    let mut body = way.customer.begin().await?;
    body["name"] = format!("demo-{cloud}-{method}").into();
    body["cloud"] = json!(cloud);
    body["method"] = method.into();
    let created: Value = api.post("/connections", body).await?;
    let asked = asked(server, &created).await?;
    let path = format!("/connections/{}", asked.connection.id);
    if let Some(entered) = way.customer.grant(&asked).await? {
        let _: Value = api.patch(&path, entered).await?;
    }
    let (connection, checks) = settled(api, &path).await?;
    Ok(Connected {
        way,
        asked: Asked {
            connection,
            ..asked
        },
        checks,
    })
}

/// What the page shows of a connection that was just made.
pub async fn asked(server: &Server, created: &Value) -> anyhow::Result<Asked> {
    let connection: Connection = serde_json::from_value(created["connection"].clone())?;
    let guide: GrantGuide = serde_json::from_value(created["grant"].clone())?;
    let spec = spec(server, &connection).await?;
    ensure!(
        spec.digest() == guide.digest,
        "the guide is for another grant than the connection's"
    );
    Ok(Asked {
        connection,
        guide,
        spec,
    })
}

/// What the guide is written from; of a connection that moves, of the new way.
async fn spec(server: &Server, connection: &Connection) -> anyhow::Result<GrantSpec> {
    let new = connection.migrated();
    let also = match &new {
        Some(_) => Some(principal(server, connection.method()).await?),
        None => None,
    };
    let connection = new.as_ref().unwrap_or(connection);
    let principal = principal(server, connection.method()).await?;
    Ok(landfall_plan::policy::grant_also(
        connection,
        &principal,
        also.as_ref(),
    )?)
}

async fn principal(server: &Server, method: Method) -> anyhow::Result<ServerPrincipal> {
    let connector = connectors::of(&server.connectors, method)
        .context("the server has no connector for the connection")?;
    Ok(connector.principal().await?)
}

/// Waits until the connection works; with the checks that it passed.
async fn settled(api: &Api, path: &str) -> anyhow::Result<(Connection, Vec<CheckLine>)> {
    let value = api
        .until_every(LOOK, path, PATIENCE, |value| {
            !matches!(
                value["state"]["status"].as_str(),
                Some("pending" | "propagating")
            )
        })
        .await?;
    let connection: Connection = serde_json::from_value(value)?;
    let runs: Vec<CheckRun> = api.items(&format!("{path}/checks")).await?;
    let run = runs.into_iter().next().context("no check was made")?;
    if !connection.state.can_provision() {
        bail!(
            "the connection is {}: {:?}",
            connection.state.as_str(),
            run.checks
                .iter()
                .filter(|check| check.outcome.as_str() == "fail")
                .map(|check| format!("{}: {}", check.id, check.evidence))
                .collect::<Vec<_>>()
        );
    }
    let (cloud, method) = name(connection.method());
    let checks: Vec<CheckLine> = run
        .checks
        .iter()
        .map(|check| CheckLine {
            cloud,
            method,
            id: check.id.clone(),
            outcome: check.outcome.as_str(),
        })
        .collect();
    let mut ids: Vec<&str> = checks.iter().map(|check| check.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    ensure!(ids.len() >= CHECKS, "only {} checks were made", ids.len());
    Ok((connection, checks))
}

/// Ends every connection; says how much is left in the account of the one
/// through which things were made.
pub async fn disconnect(api: &Api, all: &[Connected], made: &Connected) -> anyhow::Result<usize> {
    let mut remaining = 0;
    for one in all {
        let answer: Value = api
            .post(&format!("{}/disconnect", one.path()), json!({}))
            .await?;
        let left = answer["remaining"].as_array().map_or(0, Vec::len);
        if one.connection().id == made.connection().id {
            remaining = left;
        } else {
            ensure!(left == 0, "{left} things remain of a connection not used");
        }
    }
    Ok(remaining)
}
