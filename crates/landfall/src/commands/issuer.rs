//! `landfall issuer`: the keys with which this server vouches for its
//! connections. Works on the database itself, whether a server runs or not.

use crate::{commands::organizations::Where, config::Config, keeping, logging};
use anyhow::Context as _;
use landfall_cli::{CliError, Format, Output};
use landfall_issuer::{KeyIssuer, Unseen};
use landfall_model::{
    Timestamp,
    issuer::{DISCOVERY_PATH, Issuer as _, JWKS_PATH},
    signing_key::{SigningKey, State},
};
use serde::Serialize;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show the issuer's URL and its keys
    Show(Where),
    /// Write the documents that the clouds fetch into a folder, to be uploaded
    /// to the issuer's URL
    Export(Export),
    /// Publish a new signing key; it signs once every cloud must have seen it
    Rotate(Rotate),
}

#[derive(Debug, clap::Args)]
pub struct Export {
    /// Where to write .well-known/openid-configuration and .well-known/jwks.json
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub of: Where,
}

#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// Do not wait any longer for those who serve the keys or uploaded them. The
    /// new key signs a day after it was published in any case; who does not have
    /// it then refuses this server until they do
    #[arg(long)]
    pub do_not_wait: bool,
    #[command(flatten)]
    pub of: Where,
}

#[derive(Serialize)]
struct Shown {
    url: Option<String>,
    keys: Vec<Key>,
}

#[derive(Serialize)]
struct Key {
    id: String,
    state: &'static str,
    since: Timestamp,
    /// When it may take its next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    /// Where it must be seen first, and is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<Unseen>,
}

impl From<&SigningKey> for Key {
    fn from(key: &SigningKey) -> Self {
        Self {
            id: key.id.clone(),
            state: key.state.as_str(),
            since: key.state.since(),
            due_at: key.due_at(),
            unseen: Vec::new(),
        }
    }
}

pub async fn run(command: Command, data_dir: &Path, format: Format) -> anyhow::Result<()> {
    logging::start("warn");
    let of = match &command {
        Command::Show(of) => of,
        Command::Export(export) => &export.of,
        Command::Rotate(rotate) => &rotate.of,
    };
    let config = Config::load(of.config.as_deref(), data_dir)?;
    let store = keeping::store(&config, data_dir).await?;
    let vault = keeping::vault(&config, data_dir, &store).await?;
    let issuer = keeping::issuer(&config, store, vault)?;
    match &command {
        Command::Show(_) => show(&issuer, format).await,
        Command::Export(export) => write(&issuer, &export.folder, format).await,
        Command::Rotate(Rotate { do_not_wait, .. }) => match do_not_wait {
            false => rotate(&issuer, format).await,
            true => stop_waiting(&issuer, format).await,
        },
    }
}

async fn show(issuer: &Arc<KeyIssuer>, format: Format) -> anyhow::Result<()> {
    let keys = match issuer.url() {
        Some(_) => issuer.keys().await?,
        None => Vec::new(),
    };
    let mut shown = Shown {
        url: issuer.url().map(str::to_owned),
        keys: keys.iter().map(Key::from).collect(),
    };
    for (shown, key) in shown.keys.iter_mut().zip(&keys) {
        if matches!(key.state, State::Published { .. }) {
            shown.unseen = issuer.unseen(key).await;
        }
    }
    Output { format }.print(&shown, |shown| {
        let Some(url) = &shown.url else {
            return "No issuer: set public_url to an https address without a port, or issuer.url."
                .into();
        };
        let mut text = format!("Issuer {url}");
        for key in &shown.keys {
            text.push_str(&format!("\n{}  {} since {}", key.id, key.state, key.since));
            if let Some(at) = key.due_at {
                text.push_str(&format!(", until {at}"));
            }
            for Unseen { witness, evidence } in &key.unseen {
                text.push_str(&format!(
                    "\n  not before it is seen by {witness}: {evidence}"
                ));
            }
        }
        text
    })?;
    Ok(())
}

async fn write(issuer: &Arc<KeyIssuer>, folder: &Path, format: Format) -> anyhow::Result<()> {
    let discovery = documented(issuer)?;
    let jwks = issuer.jwks().await?;
    let mut written = Vec::new();
    // The keys first: who reads the one finds the other.
    for (path, document) in [(JWKS_PATH, &jwks), (DISCOVERY_PATH, &discovery)] {
        let file = folder.join(path.trim_start_matches('/'));
        place(&file, document).with_context(|| format!("cannot write {}", file.display()))?;
        written.push(file);
    }
    Output { format }.print(&written, |written| {
        let lines = written.iter().map(|file| file.display().to_string());
        format!(
            "{}\nUpload both below {}, as application/json and readable by everybody.",
            lines.collect::<Vec<_>>().join("\n"),
            issuer.url().unwrap_or_default()
        )
    })?;
    Ok(())
}

fn documented(issuer: &Arc<KeyIssuer>) -> anyhow::Result<Value> {
    let none = "this server has no issuer: set issuer.url, or public_url to an https address";
    let discovery = issuer.discovery();
    discovery.ok_or_else(|| CliError::Outcome(none.into()).into())
}

/// In one step: a folder that is served is never seen half written.
fn place(file: &Path, document: &Value) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let unfinished = file.with_added_extension("new");
    let mut text = serde_json::to_string_pretty(document)?;
    text.push('\n');
    std::fs::write(&unfinished, text)?;
    std::fs::rename(&unfinished, file)?;
    Ok(())
}

async fn rotate(issuer: &Arc<KeyIssuer>, format: Format) -> anyhow::Result<()> {
    documented(issuer)?;
    let new = issuer.rotate().await?;
    Output { format }.print(&Key::from(&new), |key| {
        let at = key.due_at.unwrap_or(key.since);
        format!(
            "Published the key {}. It signs from {at}, when no cloud keeps a key set without \
             it; a server that runs then takes the step. In static mode upload the keys anew \
             before (landfall issuer export); where Google Cloud has uploaded keys, customers \
             run the setup again. Until it is seen there, the old key signs.",
            key.id
        )
    })?;
    Ok(())
}

async fn stop_waiting(issuer: &Arc<KeyIssuer>, format: Format) -> anyhow::Result<()> {
    documented(issuer)?;
    let new = issuer.stop_waiting().await?;
    Output { format }.print(&Key::from(&new), |key| {
        format!(
            "The key {} signs. Who does not have it refuses this server until they do: \
             `landfall connections list` shows whom.",
            key.id
        )
    })?;
    Ok(())
}
