//! `landfall sandbox`: simulated clouds on loopback.

use landfall_cli::{Format, Output};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen (loopback only); port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:4600")]
    pub listen: SocketAddr,
    /// Simulated seconds that pass in one second
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Ids, keys and dice follow from it
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Simulated seconds until a new or changed role takes effect
    #[arg(long, default_value_t = 8.0)]
    pub iam_lag: f64,
    /// Probability that a call is throttled
    #[arg(long, default_value_t = 0.0)]
    pub throttle: f64,
    /// Probability that a call is answered with a server error
    #[arg(long, default_value_t = 0.0)]
    pub error_rate: f64,
    /// A file in which the simulated clouds survive a restart
    #[arg(long)]
    pub snapshot: Option<PathBuf>,
}

impl Args {
    pub fn config(&self) -> landfall_sandbox::Config {
        landfall_sandbox::Config {
            listen: self.listen,
            speed: self.speed,
            seed: self.seed,
            iam_lag: Duration::try_from_secs_f64(self.iam_lag).unwrap_or(Duration::ZERO),
            throttle: self.throttle,
            error_rate: self.error_rate,
            snapshot: self.snapshot.clone(),
            ..landfall_sandbox::Config::default()
        }
    }
}

pub async fn run(args: Args, format: Format) -> anyhow::Result<()> {
    let running = landfall_sandbox::start(args.config()).await?;
    let output = Output { format };
    output.print(&running.ready, |ready| {
        let accounts = ready["aws"]["accounts"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let mut text = format!(
            "Simulated AWS on {}\nConsole           {}\n\n",
            ready["aws"]["endpoint_url"].as_str().unwrap_or_default(),
            ready["aws"]["console_url"].as_str().unwrap_or_default(),
        );
        for account in accounts {
            text.push_str(&format!(
                "account {}  {:8}  key {}\n",
                account["id"].as_str().unwrap_or_default(),
                account["role"].as_str().unwrap_or_default(),
                account["access_key_id"].as_str().unwrap_or_default(),
            ));
        }
        text.push_str("\nThe keys with their secrets: --output json. Ctrl-C ends it.");
        text
    })?;
    crate::shutdown::signal().await;
    running.shutdown().await;
    Ok(())
}
