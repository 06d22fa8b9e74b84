//! A sandbox in a process of its own, which remembers its accounts while it is
//! dead.

use super::process::{Process, landfall};
use anyhow::{Context as _, anyhow, bail, ensure};
use serde_json::{Value, json};
use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

#[derive(Clone, Debug)]
pub struct Weather {
    pub speed: f64,
    pub iam_lag: f64,
    pub throttle: f64,
    pub error_rate: f64,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            speed: super::SPEED,
            iam_lag: 8.0,
            throttle: 0.0,
            error_rate: 0.0,
        }
    }
}

pub struct Cloud {
    folder: PathBuf,
    port: u16,
    weather: Weather,
    process: Process,
    http: reqwest::Client,
    /// The JSON that it printed.
    pub ready: Value,
}

const SNAPSHOT: &str = "cloud.json";

impl Cloud {
    /// Starts one in `folder`, or continues the one that lies there.
    pub async fn start(folder: &Path, weather: Weather) -> anyhow::Result<Self> {
        let mut last = anyhow!("no port is free");
        for _ in 0..20 {
            let port = free_port()?;
            match launch(folder, port, &weather).await {
                Ok((process, ready)) => {
                    return Ok(Self {
                        folder: folder.to_owned(),
                        port,
                        weather,
                        process,
                        http: reqwest::Client::new(),
                        ready,
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill().await
    }

    /// The same accounts at the same address.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        let mut last = anyhow!("not tried");
        for _ in 0..20 {
            match launch(&self.folder, self.port, &self.weather).await {
                Ok((process, ready)) => {
                    self.process = process;
                    self.ready = ready;
                    return Ok(());
                }
                Err(error) => last = error,
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Err(last.context("the sandbox did not come back"))
    }

    pub fn endpoint(&self) -> &str {
        self.ready["aws"]["endpoint_url"]
            .as_str()
            .unwrap_or_default()
    }

    pub fn account(&self, role: &str) -> anyhow::Result<&Value> {
        self.ready["aws"]["accounts"]
            .as_array()
            .and_then(|accounts| accounts.iter().find(|one| one["role"] == role))
            .ok_or_else(|| anyhow!("the sandbox has no {role} account"))
    }

    /// The first customer's account id.
    pub fn customer(&self) -> anyhow::Result<String> {
        let id = self.account("customer")?["id"].as_str();
        Ok(id.context("the account has no id")?.to_owned())
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let answer = request.timeout(Duration::from_secs(30)).send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        ensure!(status.is_success(), "the sandbox answers {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}/_sandbox/{path}", self.endpoint());
        self.ask(self.http.get(url)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let url = format!("{}/_sandbox/{path}", self.endpoint());
        self.ask(self.http.post(url).json(&body)).await
    }

    /// A fault for the next `times` calls of `operation` on `type_name`.
    pub async fn fault(
        &self,
        kind: &str,
        operation: &str,
        type_name: Option<&str>,
        times: u32,
    ) -> anyhow::Result<()> {
        let mut matcher = json!({ "operation": operation });
        if let Some(type_name) = type_name {
            matcher["type"] = type_name.into();
        }
        let fault = json!({ "kind": kind, "match": matcher, "times": times });
        self.post("faults", fault).await.map(drop)
    }

    /// The operations of faults that nothing has met yet.
    pub async fn pending_faults(&self) -> anyhow::Result<Vec<String>> {
        let answer = self.get("faults").await?;
        let faults = answer["faults"].as_array().context("no faults")?;
        let operation = |fault: &Value| fault["match"]["operation"].as_str().map(str::to_owned);
        Ok(faults.iter().filter_map(operation).collect())
    }

    pub async fn advance(&self, seconds: u64) -> anyhow::Result<()> {
        let body = json!({ "advance_seconds": seconds });
        self.post("clock", body).await.map(drop)
    }

    /// Every resource of the customer's account.
    pub async fn inventory(&self) -> anyhow::Result<Vec<Value>> {
        let customer = self.customer()?;
        let mut answer = self.get("inventory").await?;
        let account = answer["accounts"]
            .as_array_mut()
            .and_then(|accounts| {
                accounts
                    .iter_mut()
                    .find(|one| one["id"] == customer.as_str())
            })
            .context("the inventory lacks the customer's account")?;
        match account["resources"].take() {
            Value::Array(resources) => Ok(resources),
            other => bail!("the inventory's resources are {other}"),
        }
    }

    /// The request log, filtered as the query says.
    pub async fn requests(&self, query: &str) -> anyhow::Result<Vec<Value>> {
        let mut answer = self.get(&format!("requests?{query}")).await?;
        match answer["requests"].take() {
            Value::Array(requests) => Ok(requests),
            other => bail!("the request log is {other}"),
        }
    }

    /// Secrets that the sandbox handed out: administrators' keys and every
    /// session's.
    pub fn secrets(&self) -> anyhow::Result<Vec<String>> {
        let text = std::fs::read_to_string(self.folder.join(SNAPSHOT))?;
        let snapshot: Value = serde_json::from_str(&text)?;
        let world = &snapshot["world"];
        let mut secrets = Vec::new();
        for group in ["keys", "sessions"] {
            for holder in world[group].as_object().into_iter().flatten() {
                for field in ["secret_access_key", "session_token"] {
                    secrets.extend(holder.1[field].as_str().map(str::to_owned));
                }
            }
        }
        ensure!(!secrets.is_empty(), "the snapshot holds no secret");
        Ok(secrets)
    }
}

async fn launch(folder: &Path, port: u16, weather: &Weather) -> anyhow::Result<(Process, Value)> {
    let mut command = landfall();
    command
        .args(["sandbox", "--output", "json"])
        .arg("--listen")
        .arg(format!("127.0.0.1:{port}"))
        .args(["--speed", &weather.speed.to_string()])
        .args(["--iam-lag", &weather.iam_lag.to_string()])
        .args(["--throttle", &weather.throttle.to_string()])
        .args(["--error-rate", &weather.error_rate.to_string()])
        .arg("--snapshot")
        .arg(folder.join(SNAPSHOT));
    let mut process = Process::start(command, folder, "sandbox")?;
    let ready = process
        .says(Duration::from_secs(60), |output, _| {
            serde_json::from_str::<Value>(output).ok()
        })
        .await?;
    match ready {
        Some(ready) => Ok((process, ready)),
        None => bail!("the sandbox ended: {}", process.log()?),
    }
}

/// Below the range from which clients get their ports: a server that asks a
/// dead sandbox again and again must not happen to sit on its port itself.
fn free_port() -> anyhow::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 97)? * 100;
    for _ in 0..10_000 {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port between 20000 and 32000 is free")
}
