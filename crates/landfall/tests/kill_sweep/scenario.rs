//! One account, one database, and a server that lives several lives on them.

use crate::harness::{
    PATIENCE,
    api::{Api, ApiError, text},
    cloud::{Cloud, Weather},
    compare::{Findings, compare, nothing_left},
    journey,
    postgres::Database,
    server::{Boundary, Launch, Server, Started, admin_token},
};
use crate::template::{Template, copy_folder};
use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What is in the middle of being done.
#[derive(Clone, Debug)]
pub enum Subject {
    Rollout,
    Destruction { retained: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Killed,
    /// The work was over before the knife fell.
    Done,
}

pub struct Scenario {
    folder: TempDir,
    database: Database,
    environment: String,
    subject: Subject,
    pub cloud: Cloud,
    server: Option<(Server, Api)>,
    ahead_seconds: u64,
}

impl Scenario {
    /// A copy of the template, in the account's usual weather. No server runs.
    pub async fn from(template: &Template) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        copy_folder(template.folder.path(), folder.path())?;
        let database = template.database.copy().await?;
        let cloud = Cloud::start(folder.path(), Weather::default()).await?;
        Ok(Self {
            folder,
            database,
            environment: template.environment.clone(),
            subject: template.subject.clone(),
            cloud,
            server: None,
            ahead_seconds: 0,
        })
    }

    /// Kills the server and hands out what remains.
    pub async fn dismantle(mut self) -> anyhow::Result<(TempDir, Database, Cloud)> {
        self.kill().await?;
        Ok((self.folder, self.database, self.cloud))
    }

    /// Ends everything and throws it away.
    pub async fn discard(self) -> anyhow::Result<()> {
        let (_folder, database, mut cloud) = self.dismantle().await?;
        cloud.kill().await?;
        database.remove().await
    }

    /// Leaves the files behind, for a person to look at.
    pub async fn keep(self) -> anyhow::Result<PathBuf> {
        let (folder, _, mut cloud) = self.dismantle().await?;
        cloud.kill().await?;
        Ok(folder.keep())
    }

    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    pub fn api(&self) -> anyhow::Result<&Api> {
        let (_, api) = self.server.as_ref().context("no server runs")?;
        Ok(api)
    }

    async fn start(&mut self, kill_at: Option<Boundary>) -> anyhow::Result<Life> {
        let launch = Launch {
            kill_at,
            ahead_seconds: self.ahead_seconds,
            ..Launch::default()
        };
        let folder = self.folder.path();
        match Server::start(folder, &self.cloud, &self.database, &launch).await? {
            Started::Killed => Ok(Life::Killed),
            Started::Answering(server) => {
                let api = Api::new(&server.url, &admin_token(folder)?);
                self.server = Some((*server, api));
                Ok(Life::Done)
            }
        }
    }

    pub async fn kill(&mut self) -> anyhow::Result<()> {
        match self.server.take() {
            Some((mut server, _)) => server.kill().await,
            None => Ok(()),
        }
    }

    /// A life that ends at a boundary of the journal, if it gets there. Else no
    /// server is left either: it would die at what is asked of it next.
    pub async fn live_until(&mut self, boundary: Boundary) -> anyhow::Result<Life> {
        if self.start(Some(boundary)).await? == Life::Killed {
            return Ok(Life::Killed);
        }
        let began = Instant::now();
        loop {
            if self.is_dead()? {
                self.server = None;
                return Ok(Life::Killed);
            }
            match self.is_over().await {
                Ok(true) => {
                    self.kill().await?;
                    return Ok(Life::Done);
                }
                Ok(false) | Err(ApiError::Silent(_)) => {}
                Err(error) => return Err(error).context(self.last_words()),
            }
            self.be_patient(began)?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A life that is ended from outside, `delay` after the server answers.
    pub async fn live_for(&mut self, delay: Duration) -> anyhow::Result<Life> {
        self.start(None).await?;
        tokio::time::sleep(delay).await;
        if self.is_over().await.context(self.last_words())? {
            return Ok(Life::Done);
        }
        self.kill().await?;
        Ok(Life::Killed)
    }

    /// A life in which the work is done. The server stays.
    pub async fn live_to_the_end(&mut self) -> anyhow::Result<()> {
        if self.server.is_none() {
            self.start(None).await?;
        }
        let began = Instant::now();
        while !self.is_over().await.context(self.last_words())? {
            self.be_patient(began)?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// `seconds` pass while nothing of ours runs.
    pub async fn sleep_through(&mut self, seconds: u64) -> anyhow::Result<()> {
        ensure!(self.server.is_none(), "a server runs");
        self.ahead_seconds += seconds;
        self.cloud.advance(seconds).await
    }

    fn is_dead(&mut self) -> anyhow::Result<bool> {
        match &mut self.server {
            Some((server, _)) => server.has_died(),
            None => Ok(true),
        }
    }

    fn be_patient(&self, began: Instant) -> anyhow::Result<()> {
        if began.elapsed() < PATIENCE {
            return Ok(());
        }
        bail!(
            "it did not end within {} s: {}",
            PATIENCE.as_secs(),
            self.last_words()
        )
    }

    pub fn last_words(&self) -> String {
        self.server
            .as_ref()
            .map_or_else(String::new, |(server, _)| server.last_words())
    }

    async fn is_over(&self) -> Result<bool, ApiError> {
        let Some((_, api)) = &self.server else {
            return Ok(false);
        };
        match &self.subject {
            Subject::Rollout => {
                let rollout = self.rollout(api).await?;
                Ok(journey::is_over(&rollout))
            }
            Subject::Destruction { retained } => {
                let retained = api.get(&format!("/retained/{retained}")).await?;
                Ok(retained["state"]["status"] != "destroying")
            }
        }
    }

    /// The environment's newest.
    async fn rollout(&self, api: &Api) -> Result<Value, ApiError> {
        let path = format!("/rollouts?environment_id={}&limit=1", self.environment);
        Ok(api.get(&path).await?["items"][0].take())
    }

    /// Resumes a rollout that failed, as a person would, until it succeeds.
    /// Returns how often that was needed.
    pub async fn resume_until_done(&mut self, most: u32) -> anyhow::Result<u32> {
        for times in 0..=most {
            self.live_to_the_end().await?;
            if matches!(self.subject, Subject::Destruction { .. }) {
                return Ok(times);
            }
            let api = self.api()?;
            let rollout = self.rollout(api).await?;
            if rollout["state"]["status"] != "failed" {
                return Ok(times);
            }
            let id = text(&rollout, "id")?;
            api.post(&format!("/rollouts/{id}/resume"), json!({}))
                .await?;
        }
        Ok(most)
    }

    /// Compares, after the end.
    pub async fn findings(&mut self) -> anyhow::Result<Findings> {
        let api = self.api()?;
        let mut findings = compare(api, &self.cloud, &self.environment).await?;
        match &self.subject {
            Subject::Rollout => {
                let rollout = self.rollout(api).await?;
                if rollout["state"]["status"] == "succeeded" {
                    findings.absorb(nothing_left(api, &self.environment).await?);
                } else {
                    let id = text(&rollout, "id")?;
                    let progress = api.get(&format!("/rollouts/{id}")).await?;
                    let failures = journey::failures(&progress);
                    let what = format!("the rollout is {}: {failures}", rollout["state"]);
                    findings.wrong.push(what);
                }
            }
            Subject::Destruction { retained } => {
                let retained = api.get(&format!("/retained/{retained}")).await?;
                if retained["state"]["status"] != "destroyed" {
                    let what = format!("the database is {}", retained["state"]);
                    findings.wrong.push(what);
                }
            }
        }
        Ok(findings)
    }
}
