//! `landfall organizations`, and `landfall server --recover-admin`: what only
//! who has the server's machine may do. Both work on the database itself, so
//! that they work when nobody can sign in, whether a server runs or not.

use crate::{
    config::Config,
    logging, secret_file,
    server::{self, ADMIN_TOKEN},
};
use anyhow::Context as _;
use landfall_app::{App, organizations};
use landfall_cli::{CliError, Format, Output};
use landfall_model::{Error, Timestamp, error::Problem, organization::Organization};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make one more organization, with an Admin and a token for them
    Create(Create),
    /// List the organizations of this server
    List(Where),
}

#[derive(Debug, clap::Args)]
pub struct Create {
    /// What people call it
    pub name: String,
    /// The name of its first Admin
    #[arg(long, default_value = "admin")]
    pub admin: String,
    #[command(flatten)]
    pub of: Where,
}

#[derive(Debug, clap::Args)]
pub struct Where {
    /// The configuration (default: landfall-server.toml in the data folder)
    #[arg(long, env = "LANDFALL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// An Admin's way in.
#[derive(Debug, Serialize)]
struct Entrance {
    organization: Organization,
    /// Readable by its owner alone.
    token_file: PathBuf,
    expires_at: Timestamp,
}

pub async fn run(command: Command, data_dir: &Path, format: Format) -> anyhow::Result<()> {
    logging::start("warn");
    match command {
        Command::Create(args) => create(args, data_dir, format).await,
        Command::List(args) => list(&args, data_dir, format).await,
    }
}

async fn create(args: Create, data_dir: &Path, format: Format) -> anyhow::Result<()> {
    let config = Config::load(args.of.config.as_deref(), data_dir)?;
    let app = server::app(&config, data_dir, Vec::new()).await?;
    // The file is named after the id, which is known afterwards only, and the
    // secret must be on the disk before.
    let unfinished = data_dir.join(format!("{ADMIN_TOKEN}-unfinished"));
    let founded = organizations::found(
        &app,
        &args.name,
        &args.admin,
        async |secret: &SecretString| keep(&unfinished, secret),
    )
    .await
    .map_err(refused)?;
    let entrance = Entrance {
        token_file: token_file(&app, data_dir, &founded.organization).await?,
        organization: founded.organization,
        expires_at: founded.token.expires_at,
    };
    std::fs::rename(&unfinished, &entrance.token_file)
        .with_context(|| format!("the admin token stays in {}", unfinished.display()))?;
    print("Made the organization", &entrance, format)
}

async fn list(args: &Where, data_dir: &Path, format: Format) -> anyhow::Result<()> {
    let config = Config::load(args.config.as_deref(), data_dir)?;
    let app = server::app(&config, data_dir, Vec::new()).await?;
    let organizations = organizations::list(&app).await.map_err(refused)?;
    Output { format }.print(&organizations, |organizations| {
        if organizations.is_empty() {
            return "No organization yet: the first start of 'landfall server' makes one.".into();
        }
        let line = |one: &Organization| format!("{}  {}", one.id, one.name);
        organizations
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    })?;
    Ok(())
}

/// Writes a new admin token; `wanted` is an organization's name or id, else it
/// is the first one's.
pub async fn recover(
    config: &Config,
    data_dir: &Path,
    wanted: Option<&str>,
    format: Format,
) -> anyhow::Result<()> {
    logging::start("warn");
    let app = server::app(config, data_dir, Vec::new()).await?;
    let known = organizations::list(&app).await.map_err(refused)?;
    let found = match wanted {
        Some(wanted) => known
            .iter()
            .find(|one| one.name == wanted || one.id.as_str() == wanted),
        None => known.iter().min_by_key(|one| age(one)),
    };
    let Some(organization) = found.cloned() else {
        let names: Vec<&str> = known.iter().map(|one| one.name.as_str()).collect();
        let unknown = CliError::Unknown {
            what: "organization",
            name: wanted.unwrap_or_default().to_owned(),
            known: names.join(", "),
        };
        return Err(unknown.into());
    };
    let token_file = token_file(&app, data_dir, &organization).await?;
    let token = organizations::recover(&app, &organization.id, async |secret: &SecretString| {
        keep(&token_file, secret)
    })
    .await
    .map_err(refused)?;
    let entrance = Entrance {
        organization,
        token_file,
        expires_at: token.expires_at,
    };
    print("Made a new admin token of", &entrance, format)
}

fn keep(file: &Path, secret: &SecretString) -> std::io::Result<()> {
    secret_file::write(file, secret.expose_secret().as_bytes())
}

/// The first organization's is where the command line looks for it.
async fn token_file(
    app: &App,
    data_dir: &Path,
    organization: &Organization,
) -> anyhow::Result<PathBuf> {
    let known = organizations::list(app).await.map_err(refused)?;
    let first = known.iter().min_by_key(|one| age(one));
    Ok(match first {
        Some(first) if first.id == organization.id => data_dir.join(ADMIN_TOKEN),
        _ => data_dir.join(format!("{ADMIN_TOKEN}-{}", organization.id)),
    })
}

fn age(organization: &Organization) -> (Timestamp, String) {
    (organization.created_at, organization.id.to_string())
}

fn print(what: &str, entrance: &Entrance, format: Format) -> anyhow::Result<()> {
    Output { format }.print(entrance, |entrance| {
        let Entrance {
            organization,
            token_file,
            ..
        } = entrance;
        let file = token_file.display();
        format!(
            "{what} {} ({}).\n\
             The admin token is in {file} (only you can read it). Sign in with it, or:\n\n\
             \x20   landfall --token-file {file} connections list",
            organization.name, organization.id
        )
    })?;
    Ok(())
}

fn refused(error: Error) -> CliError {
    // A program's user never reads it; the operator does.
    if let Some(cause) = std::error::Error::source(&error) {
        tracing::warn!(code = %error.code, cause, "{error}");
    }
    CliError::Refused(Box::new(Problem::from(&error)))
}
