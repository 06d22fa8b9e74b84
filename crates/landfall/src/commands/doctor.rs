//! `landfall doctor`: what is set up, what is missing, what to do.

mod clouds;
mod keeping;

use crate::{clock::SystemClock, config::Config};
use landfall_cli::{Format, Output};
use landfall_model::store::{Store, StoreError};
use secrecy::ExposeSecret;
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration (default: landfall-server.toml in the data folder)
    #[arg(long, env = "LANDFALL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Ok,
    /// Landfall works without it, with less.
    Missing,
    /// Something in it does not work; the rest does.
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Finding {
    id: &'static str,
    outcome: Outcome,
    found: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    next_step: String,
}

fn finding(
    id: &'static str,
    outcome: Outcome,
    found: impl Into<String>,
    next_step: impl Into<String>,
) -> Finding {
    Finding {
        id,
        outcome,
        found: found.into(),
        next_step: next_step.into(),
    }
}

pub async fn run(args: Args, data_dir: &Path, format: Format) -> anyhow::Result<()> {
    let mut findings = Vec::new();
    match Config::load(args.config.as_deref(), data_dir) {
        Ok(config) => {
            findings.push(finding("configuration", Outcome::Ok, "it can be read", ""));
            findings.push(data(data_dir));
            let (found, store) = database(&config, data_dir).await;
            findings.push(found);
            findings.extend(keeping::findings(&config, data_dir, store.as_deref()).await);
            findings.extend(clouds::findings(&config).await);
            findings.push(reachable(&config).await);
        }
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map_or(String::new(), |c| format!(": {c}"));
            findings.push(finding(
                "configuration",
                Outcome::Fail,
                format!("{error}{cause}"),
                "correct the file; docs/operate.md lists the settings",
            ));
        }
    }
    Output { format }.print(&findings, |findings| human(findings))?;
    if findings.iter().any(|one| one.outcome == Outcome::Fail) {
        return Err(landfall_cli::CliError::Outcome("something must be set right".into()).into());
    }
    Ok(())
}

fn human(findings: &[Finding]) -> String {
    let width = findings.iter().map(|one| one.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for one in findings {
        let mark = match one.outcome {
            Outcome::Ok => "✓",
            Outcome::Missing => "-",
            Outcome::Warn => "!",
            Outcome::Fail => "✗",
        };
        text.push_str(&format!("{mark} {:width$}  {}\n", one.id, one.found));
        if !one.next_step.is_empty() {
            text.push_str(&format!("  {:width$}  next: {}\n", "", one.next_step));
        }
    }
    text
}

fn data(data_dir: &Path) -> Finding {
    let metadata = match std::fs::metadata(data_dir) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return finding(
                "data-folder",
                Outcome::Missing,
                format!("{} does not exist yet", data_dir.display()),
                "the first `landfall server` makes it",
            );
        }
        Err(error) => {
            return finding(
                "data-folder",
                Outcome::Fail,
                format!("{}: {error}", data_dir.display()),
                "make it readable for the user that runs the server",
            );
        }
    };
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return finding(
            "data-folder",
            Outcome::Fail,
            format!("others can read {}", data_dir.display()),
            format!("chmod 700 {}", data_dir.display()),
        );
    }
    let _ = metadata;
    finding(
        "data-folder",
        Outcome::Ok,
        data_dir.display().to_string(),
        "",
    )
}

/// Also the store, when it opens.
async fn database(config: &Config, data_dir: &Path) -> (Finding, Option<Arc<dyn Store>>) {
    if config.database_url.is_none() && !data_dir.join("landfall.db").exists() {
        let found = finding(
            "database",
            Outcome::Missing,
            "SQLite in the data folder, not made yet",
            "the first `landfall server` makes it",
        );
        return (found, None);
    }
    let url = crate::server::database_url(config, data_dir);
    let opened = async {
        let store = landfall_store::open(url.expose_secret(), Arc::new(SystemClock)).await?;
        let described = store.describe().await?;
        Ok::<_, StoreError>((described, store))
    };
    match opened.await {
        Ok((described, store)) => {
            let found = finding("database", Outcome::Ok, described, "");
            (found, Some(store))
        }
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map_or(String::new(), |c| format!(": {c}"));
            let found = finding(
                "database",
                Outcome::Fail,
                format!("{error}{cause}"),
                "check database_url and that the database is running",
            );
            (found, None)
        }
    }
}

async fn reachable(config: &Config) -> Finding {
    let url = format!("http://{}/readyz", config.listen);
    let client = reqwest::Client::builder()
        .timeout(std::time::Duration::from_secs(3))
        .build();
    let answered = match client {
        Ok(client) => client.get(&url).send().await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(response) if response.status().is_success() => finding(
            "server",
            Outcome::Ok,
            format!("answers on {}", config.listen),
            "",
        ),
        Ok(response) => finding(
            "server",
            Outcome::Fail,
            format!("{} answers {}", config.listen, response.status()),
            "see the server's log",
        ),
        Err(_) => finding(
            "server",
            Outcome::Missing,
            format!("nothing answers on {}", config.listen),
            "start it: landfall server",
        ),
    }
}
