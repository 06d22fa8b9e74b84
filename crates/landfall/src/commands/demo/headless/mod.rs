//! The whole journey without a person. What it prints is what it saw; what must
//! be so and is not ends it with an error.

mod change;
mod connect;
mod refused;
mod report;
mod roll_out;
mod steps;

pub use connect::asked;

use super::{journey::Api, provider::Provider, ways};
use crate::server::Server;
use anyhow::{Context as _, ensure};
use landfall_cli::Output;
use landfall_model::{
    connection::{Connection, Method},
    resource::Resource,
};
use report::{Report, RetainedLine, seconds};
use serde_json::json;
use std::time::{Duration, Instant};
use steps::Steps;

/// Where the environment goes.
const REGION: &str = "eu-central-1";
const PATIENCE: Duration = Duration::from_secs(600);
/// How many different checks a cloud is worth at least.
const CHECKS: usize = 12;

pub async fn walk(
    provider: &Provider,
    server: &Server,
    token: &str,
    started: Instant,
    output: Output,
) -> anyhow::Result<()> {
    let api = Api::new(&server.url, token)?;
    let steps = Steps::new();

    steps.next("connecting by every method");
    let ways = ways::all(provider, &server.url, token)?;
    let mut connected = connect::all(&api, server, ways).await?;
    let checks = connected
        .iter_mut()
        .flat_map(|one| std::mem::take(&mut one.checks))
        .collect();
    let main = connected
        .iter()
        .find(|one| one.way.method == Method::AssumeRole)
        .context("no account was connected")?;
    let path = format!("/connections/{}", main.connection().id);
    let region = json!({ "default_region": REGION });
    let connection: Connection = api.patch(&path, region).await?;

    steps.next("moving away from a key, and replacing a secret");
    let (migrated, rotated) = tokio::try_join!(
        change::migrate(&api, server, &connected),
        change::rotate(&api, &connected),
    )?;
    steps.next("planning");
    let (environment, plan) = roll_out::plan(&api, &connection).await?;
    steps.next("rolling out");
    let progress = roll_out::roll_out(&api, &plan, &steps).await?;
    let resources: Vec<Resource> = api
        .items(&format!("/environments/{environment}/resources"))
        .await?;
    steps.next("opening the address");
    let urls = roll_out::open(&progress).await?;
    steps.next("trying what must be refused");
    let refused = refused::try_all(server, &connection, &resources).await?;
    steps.next("deleting the environment");
    let retained = roll_out::retain(&api, &environment, &resources).await?;
    steps.next("destroying the database by its name");
    let destroyed = roll_out::destroy(&api, &retained).await?;
    steps.next("taking grants back");
    let revoked = change::revoke(&api, &connected).await?;
    steps.next("disconnecting");
    let remaining = connect::disconnect(&api, &connected, main).await?;
    ensure!(
        remaining == retained.len() - 1,
        "{} were retained and one destroyed, but {remaining} remain",
        retained.len()
    );
    steps.finish();

    let report = Report {
        ok: true,
        checks,
        created: resources.len(),
        urls,
        retained: retained
            .iter()
            .map(|one| RetainedLine {
                cloud: connection.cloud(),
                type_name: one.type_name.clone(),
                id: one.identifier.clone(),
                reason: one.reason.as_str(),
            })
            .collect(),
        refused,
        destroyed,
        migrated,
        rotated,
        revoked,
        remaining_after_disconnect: remaining,
        seconds: seconds(started.elapsed()),
    };
    for (cloud, ids) in report.distinct() {
        ensure!(
            ids.len() >= CHECKS,
            "{} has only {} checks",
            cloud.title(),
            ids.len()
        );
    }
    output.print(&report, Report::in_words)?;
    Ok(())
}
