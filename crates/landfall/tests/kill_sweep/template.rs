//! The states that scenarios begin from, made once and copied.
//!
//! Each was left by a server that was killed at its very first journal commit:
//! the work is queued and claimed, and nothing of it is written.

use crate::harness::{
    api::{Api, ApiError, text},
    cloud::{Cloud, Weather},
    journey,
    postgres::Database,
    server::{Boundary, Launch, Server, Started, admin_token},
};
use crate::scenario::{Scenario, Subject};
use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub struct Template {
    pub folder: TempDir,
    pub database: Database,
    pub environment: String,
    pub subject: Subject,
    /// For progress: `apply`.
    pub name: &'static str,
}

/// A connected account and an approved plan whose rollout has just begun.
pub async fn of_rollout(database: Database) -> anyhow::Result<Template> {
    let folder = tempfile::tempdir()?;
    let mut cloud = Cloud::start(folder.path(), Weather::default()).await?;
    let mut server = answering(&folder, &cloud, &database, None).await?;
    let api = Api::new(&server.url, &admin_token(folder.path())?);
    let connection = journey::connect(&api, &cloud).await?;
    let environment = journey::environment(&api, &connection).await?;
    let plan = journey::approved_plan(&api, &environment, 35).await?;
    server.kill().await?;
    let path = format!("/plans/{plan}/rollouts");
    begin(&folder, &cloud, &database, &path, json!({})).await?;
    cloud.kill().await?;
    Ok(Template {
        folder,
        database,
        environment,
        subject: Subject::Rollout,
        name: "apply",
    })
}

/// The rollout succeeded, and one of another kind has just begun: a new
/// revision, an update in place, a bucket that is no longer wanted.
pub async fn of_change(rollout: &Template) -> anyhow::Result<Template> {
    let mut scenario = Scenario::from(rollout).await?;
    scenario.live_to_the_end().await?;
    let api = scenario.api()?;
    journey::change_workload(api).await?;
    let plan = journey::approved_plan(api, &rollout.environment, 3).await?;
    let (folder, database, mut cloud) = scenario.dismantle().await?;
    let path = format!("/plans/{plan}/rollouts");
    begin(&folder, &cloud, &database, &path, json!({})).await?;
    cloud.kill().await?;
    Ok(Template {
        folder,
        database,
        environment: rollout.environment.clone(),
        subject: Subject::Rollout,
        name: "change",
    })
}

/// The rollout succeeded, the environment was deleted, and the destruction of
/// its database was approved.
pub async fn of_destruction(rollout: &Template) -> anyhow::Result<Template> {
    let mut scenario = Scenario::from(rollout).await?;
    scenario.live_to_the_end().await?;
    let retained = journey::delete_environment(scenario.api()?, &rollout.environment).await?;
    let database = retained
        .iter()
        .find(|one| one["type_name"] == "AWS::RDS::DBInstance")
        .context("the database was not retained")?;
    let id = text(database, "id")?.to_owned();
    let typed = json!({ "typed_name": journey::typed_name(database)? });
    let (folder, database, mut cloud) = scenario.dismantle().await?;
    let path = format!("/retained/{id}/destroy");
    begin(&folder, &cloud, &database, &path, typed).await?;
    cloud.kill().await?;
    Ok(Template {
        folder,
        database,
        environment: rollout.environment.clone(),
        subject: Subject::Destruction { retained: id },
        name: "destroy",
    })
}

async fn answering(
    folder: &TempDir,
    cloud: &Cloud,
    database: &Database,
    kill_at: Option<Boundary>,
) -> anyhow::Result<Server> {
    let launch = Launch {
        kill_at,
        ..Launch::default()
    };
    match Server::start(folder.path(), cloud, database, &launch).await? {
        Started::Answering(server) => Ok(*server),
        Started::Killed => bail!("something was journaled before anything was asked"),
    }
}

/// Asks for work on a server that dies when it begins to do it.
async fn begin(
    folder: &TempDir,
    cloud: &Cloud,
    database: &Database,
    path: &str,
    body: Value,
) -> anyhow::Result<()> {
    let kill_at = Some(Boundary::before(1));
    let mut server = answering(folder, cloud, database, kill_at).await?;
    let api = Api::new(&server.url, &admin_token(folder.path())?);
    match api.post(path, body).await {
        // It may die before the answer is out.
        Ok(_) | Err(ApiError::Silent(_)) => {}
        Err(error) => return Err(error).context(server.last_words()),
    }
    let started = Instant::now();
    while !server.has_died()? {
        ensure!(
            started.elapsed() < Duration::from_secs(60),
            "the work did not begin: {}",
            server.last_words()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

pub fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
