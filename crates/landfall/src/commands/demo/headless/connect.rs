//! Connecting by every method, each as its own customer does it, and taking
//! grants back.

use super::{
    PATIENCE,
    report::{CheckLine, RevokedLine, name, seconds},
};
use crate::{
    commands::demo::{
        customer::{Asked, Customer, aws, azure, gcp},
        journey::Api,
        provider::Provider,
    },
    connectors,
    server::Server,
};
use anyhow::{Context as _, bail, ensure};
use landfall_model::{
    check::CheckRun,
    connection::{Connection, Method, State},
    grant::{GrantGuide, GrantSpec},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How many different checks a connection is worth at least.
const CHECKS: usize = 12;
/// Between looks at one connection: they are all looked at together, and an
/// organization's requests are counted.
const LOOK: Duration = Duration::from_millis(300);

/// A method, and the customer who connects by it.
pub struct Way {
    pub method: Method,
    customer: Box<dyn Customer>,
    /// Whether the customer takes the grant back in the end.
    revoked: bool,
}

/// Every method once. Customers of one cloud have a project or a subscription
/// each, so that none of them meets what another one granted.
pub fn ways(provider: &Provider) -> anyhow::Result<Vec<Way>> {
    fn way(method: Method, customer: impl Customer + 'static) -> Way {
        Way {
            method,
            customer: Box::new(customer),
            revoked: false,
        }
    }
    let account = || aws::Account::of(&provider.ready, 0);
    let owner = |place| gcp::Owner::of(&provider.ready, place);
    let administrator = |place| azure::Administrator::of(&provider.ready, place);
    Ok(vec![
        way(Method::AssumeRole, account()?),
        way(Method::Oidc, account()?).revoked(),
        way(Method::GcpWorkloadIdentity, gcp::Federation(owner(0)?)).revoked(),
        way(
            Method::AzureWorkloadIdentity,
            azure::Federation(administrator(0)?),
        )
        .revoked(),
    ])
}

impl Way {
    fn revoked(self) -> Self {
        Self {
            revoked: true,
            ..self
        }
    }
}

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

    fn path(&self) -> String {
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
async fn asked(server: &Server, created: &Value) -> anyhow::Result<Asked> {
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

/// What the guide is written from.
async fn spec(server: &Server, connection: &Connection) -> anyhow::Result<GrantSpec> {
    let connector = connectors::of(&server.connectors, connection.method())
        .context("the server has no connector for the connection")?;
    let principal = connector.principal().await?;
    Ok(landfall_plan::policy::grant(connection, &principal)?)
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

/// The customers who take their grants back, at the same time.
pub async fn revoke(api: &Api, all: &[Connected]) -> anyhow::Result<Vec<RevokedLine>> {
    let revoked = all.iter().filter(|one| one.way.revoked);
    futures::future::try_join_all(revoked.map(|one| async move {
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
