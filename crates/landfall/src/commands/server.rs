//! `landfall server`

use crate::{commands::organizations, config::Config, logging, server, shutdown};
use landfall_cli::{Format, Output};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration (default: landfall-server.toml in the data folder)
    #[arg(long, env = "LANDFALL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen, instead of the configured address
    #[arg(long)]
    pub listen: Option<std::net::SocketAddr>,
    /// Write a new admin token for an organization (its name or id; default: the
    /// first one) and exit: the way back in when every token is lost or expired.
    /// A server that runs meanwhile need not stop
    #[arg(long, value_name = "ORGANIZATION", num_args = 0..=1, conflicts_with = "listen")]
    pub recover_admin: Option<Option<String>>,
}

/// What a program must know to use a server that it started.
#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
    data_dir: &'a Path,
    /// Where the first token is, for as long as the operator leaves it there.
    admin_token_file: Option<PathBuf>,
}

pub async fn run(args: Args, data_dir: &Path, format: Format) -> anyhow::Result<()> {
    if let Some(organization) = args.recover_admin {
        let config = Config::load(args.config.as_deref(), data_dir)?;
        return organizations::recover(&config, data_dir, organization.as_deref(), format).await;
    }
    logging::start("info");
    let mut config = Config::load(args.config.as_deref(), data_dir)?;
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    let server = server::start(&config, data_dir).await?;
    eprintln!("Landfall answers on {}", server.url);
    if let Some(file) = &server.first_token {
        eprintln!(
            "First start: the admin token is in {} (only you can read it). Sign in with it.",
            file.display()
        );
    }
    if format == Format::Json {
        let token_file = data_dir.join(server::ADMIN_TOKEN);
        let ready = Ready {
            url: &server.url,
            data_dir,
            admin_token_file: token_file.exists().then_some(token_file),
        };
        Output { format }.print(&ready, |_| String::new())?;
    }
    shutdown::signal().await;
    eprintln!("stopping; what is in flight goes on at the next start");
    server.shutdown().await;
    Ok(())
}
