//! A Landfall server in a process of its own.

use super::{
    cloud::Cloud,
    postgres::Database,
    process::{Process, landfall, was_killed},
};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The dead time after a kill: shorter would be lost to the load of the tests
/// themselves.
pub const LEASE_SECONDS: f64 = 1.5;

/// Where the process dies by itself: at the n-th commit that appends to a
/// journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    pub side: Side,
    pub number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

impl Boundary {
    pub fn before(number: u32) -> Self {
        Self {
            side: Side::Before,
            number,
        }
    }

    pub fn after(number: u32) -> Self {
        Self {
            side: Side::After,
            number,
        }
    }
}

impl std::fmt::Display for Boundary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        write!(f, "{side}:{}", self.number)
    }
}

/// What a server is started with, beside its data folder.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    pub kill_at: Option<Boundary>,
    /// How far ahead of the machine its clock is.
    pub ahead_seconds: u64,
    /// Another filter than the default, for the log.
    pub log: Option<String>,
    /// The public address of the issuer's documents.
    pub issuer_url: Option<String>,
}

pub struct Server {
    process: Process,
    pub url: String,
    /// The JSON that it printed.
    pub ready: Value,
}

/// What became of a start.
pub enum Started {
    Answering(Box<Server>),
    /// It met its boundary before it answered.
    Killed,
}

pub fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

impl Server {
    /// Writes the configuration and starts a server in `folder`.
    pub async fn start(
        folder: &Path,
        cloud: &Cloud,
        database: &Database,
        launch: &Launch,
    ) -> anyhow::Result<Started> {
        let config = folder.join("server.toml");
        std::fs::write(&config, configuration(cloud, database)?)?;
        let mut command = landfall();
        command
            .arg("--data-dir")
            .arg(data(folder))
            .args(["server", "--output", "json"])
            .arg("--config")
            .arg(&config)
            .env(
                "LANDFALL_LOG",
                launch.log.as_deref().unwrap_or("info,landfall=debug"),
            );
        if let Some(boundary) = launch.kill_at {
            command.env("LANDFALL_KILL_AT", boundary.to_string());
        }
        if let Some(url) = &launch.issuer_url {
            command.env("LANDFALL__ISSUER__URL", url);
        }
        if launch.ahead_seconds > 0 {
            let ahead = launch.ahead_seconds.to_string();
            command.env("LANDFALL_CLOCK_OFFSET_SECONDS", ahead);
        }
        let mut process = Process::start(command, folder, "server")?;
        let ready = process
            .says(Duration::from_secs(60), |output, _| {
                serde_json::from_str::<Value>(output).ok()
            })
            .await?;
        if let Some(ready) = ready {
            let url = ready["url"].as_str().context("no url")?.to_owned();
            return Ok(Started::Answering(Box::new(Self {
                process,
                url,
                ready,
            })));
        }
        let status = process.wait(Duration::from_secs(5)).await?;
        ensure!(
            was_killed(status) && launch.kill_at.is_some(),
            "the server ended ({status}): {}",
            process.log()?
        );
        Ok(Started::Killed)
    }

    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await
    }

    /// Whether it met its boundary. Any other end is an error.
    pub fn has_died(&mut self) -> anyhow::Result<bool> {
        match self.process.ended()? {
            None => Ok(false),
            Some(status) if was_killed(status) => Ok(true),
            Some(status) => {
                anyhow::bail!("the server ended ({status}): {}", self.process.log()?)
            }
        }
    }

    /// The end of its log, for messages.
    pub fn last_words(&self) -> String {
        let log = self.process.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

pub fn admin_token(folder: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(data(folder).join("admin-token"))
        .context("the first start wrote no admin token")?;
    Ok(text.trim().to_owned())
}

/// What an operator would write for this cloud.
fn configuration(cloud: &Cloud, database: &Database) -> anyhow::Result<String> {
    let [aws, gcp, azure] = ["aws", "gcp", "azure"].map(|name| &cloud.ready[name]);
    let operator = cloud.account("operator")?;
    let text = |value: &Value| -> anyhow::Result<String> {
        // A JSON string without control characters is a TOML string, too.
        Ok(serde_json::to_string(
            value.as_str().context("the sandbox's JSON lacks a field")?,
        )?)
    };
    let database = match database {
        Database::Sqlite => String::new(),
        Database::Postgres { url } => format!("database_url = {}\n", serde_json::to_string(url)?),
    };
    let services = format!("{}/services/{{host}}", cloud.endpoint());
    Ok(format!(
        "listen = \"127.0.0.1:0\"
{database}
[clouds.aws]
endpoint_url = {endpoint}
console_url = {console}

[clouds.aws.template_bucket]
url = {bucket}

[clouds.aws.identity]
kind = \"static\"
access_key_id = {key}
secret_access_key = {secret}

[clouds.gcp]
endpoint_template = {google}
console_url = {google_console}

[clouds.azure]
authority = {authority}
resource_manager = {resource_manager}
graph = {graph}
portal_url = {portal}
ca_certificate = {certificate}

[deployments]
url = \"{services}\"

[engine]
wait_scale = {scale}
lease_seconds = {LEASE_SECONDS}
",
        endpoint = text(&aws["endpoint_url"])?,
        console = text(&aws["console_url"])?,
        bucket = text(&aws["template_bucket_url"])?,
        key = text(&operator["access_key_id"])?,
        secret = text(&operator["secret_access_key"])?,
        google = text(&gcp["endpoint_template"])?,
        google_console = text(&gcp["console_url"])?,
        authority = text(&azure["authority"])?,
        resource_manager = text(&azure["resource_manager"])?,
        graph = text(&azure["graph"])?,
        portal = text(&azure["portal_url"])?,
        certificate = text(&azure["ca_certificate"])?,
        scale = 1.0 / super::SPEED,
    ))
}
