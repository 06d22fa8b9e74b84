//! `landfall demo`: a server and simulated clouds on free loopback ports with a
//! fresh data folder, and a journey through them.

mod customer;
mod headless;
mod journey;
mod people;
mod provider;
mod ways;

use crate::{config::Config, logging, secret_file, server, shutdown};
use anyhow::Context as _;
use journey::Api;
use landfall_cli::{Format, Output};
use people::People;
use provider::Provider;
use std::{
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Instant,
};

/// Reserved for examples: nothing but the sandbox resolves it.
const ISSUER: &str = "https://landfall.example";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Walk the journey without a person and print what happened
    #[arg(long)]
    pub headless: bool,
    /// Simulated seconds that pass in one second
    #[arg(long, default_value_t = 30.0)]
    pub speed: f64,
    /// Use a sandbox that runs elsewhere on this machine: the JSON that it
    /// printed
    #[arg(long, value_name = "FILE")]
    pub sandbox: Option<PathBuf>,
    /// Keep the data in this folder instead of a fresh one
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    /// Do not open the browser
    #[arg(long)]
    pub no_browser: bool,
}

pub async fn run(args: Args, format: Format) -> anyhow::Result<()> {
    logging::start("warn");
    let started = Instant::now();
    let provider = Provider::start(args.sandbox.as_deref(), args.speed).await?;
    let folder = Folder::new(args.keep.clone())?;
    let config = config(&provider, folder.path(), args.speed).await?;
    let server = server::start(&config, folder.path()).await?;
    provider.publish_issuer(ISSUER, &server.url).await?;
    provider.publish_application(ISSUER, &server.url).await?;
    let token = std::fs::read_to_string(folder.path().join(server::ADMIN_TOKEN))
        .context("cannot read the admin token")?;

    let result = if args.headless {
        headless::walk(&provider, &server, token.trim(), started, Output { format }).await
    } else {
        visited(&args, &provider, &server, token.trim(), folder.path()).await
    };
    server.shutdown().await;
    provider.shutdown().await;
    result
}

/// The configuration that an operator would write for this cloud. From here on
/// the server does not know that the cloud is simulated.
async fn config(provider: &Provider, folder: &Path, speed: f64) -> anyhow::Result<Config> {
    secret_file::folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        organization: "Demo".into(),
        ..Config::default()
    };
    config.clouds.aws = provider.aws_config()?;
    config.clouds.gcp = provider.gcp_config(folder).await?;
    config.clouds.azure = provider.azure_config();
    config.issuer.url = Some(ISSUER.to_owned());
    config.deployments.url = Some(provider.deployment_url());
    // A faster cloud is asked more often; not so often that asking is all that
    // this machine does.
    config.engine.wait_scale = (1.0 / speed).clamp(0.02, 1.0);
    Ok(config)
}

/// Until the visitor has seen enough.
async fn visited(
    args: &Args,
    provider: &Provider,
    server: &server::Server,
    token: &str,
    folder: &Path,
) -> anyhow::Result<()> {
    let people = People::gather(provider, server, token, folder).await?;
    let api = Api::new(&server.url, token)?;
    guide(args, provider, server, token, &people);
    tokio::select! {
        () = people.attend(&api, server) => {}
        () = shutdown::signal() => {}
    }
    Ok(())
}

fn guide(args: &Args, provider: &Provider, server: &server::Server, token: &str, people: &People) {
    eprintln!(
        "
Landfall is running, and beside it simulated clouds. Nothing leaves this machine.

  page      {}
  sign in   {token}
  account   {}   (enter this one when you connect)

1. Connect the account: Continue, Grant permissions, create the stack, come back.
2. Make an application from the example, and an environment in the account.
3. Plan, read it, approve it, and watch it come up ({}x as fast as AWS).
4. Open the address. Delete the environment. Look at Retained.
5. Destroy the database by its name. Disconnect.

Google Cloud and Azure connect in the same way. When you have begun, somebody runs the
setup there in a moment, and what it prints is shown here:

{}

The same for machines: landfall demo --headless --output json --speed 600
Ctrl-C ends it.",
        server.url,
        provider.customer.account_id,
        args.speed,
        people.lines()
    );
    if !args.no_browser && std::io::stderr().is_terminal() {
        open_browser(&server.url);
    }
}

/// Best effort: the address is on the screen anyway.
fn open_browser(url: &str) {
    let command = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let _ = std::process::Command::new(command)
        .arg(url)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
}

/// The data folder: one that is kept, or one that goes away with the demo.
struct Folder {
    path: PathBuf,
    kept: bool,
}

impl Folder {
    fn new(keep: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(path) = keep {
            return Ok(Self { path, kept: true });
        }
        let path = std::env::temp_dir().join(format!("landfall-demo-{}", std::process::id()));
        // Left by a demo that was killed and had the same process id.
        if path.exists() {
            std::fs::remove_dir_all(&path)
                .with_context(|| format!("cannot clear {}", path.display()))?;
        }
        Ok(Self { path, kept: false })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing more can be done about what stays behind.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
