mod disconnect;
mod list;
mod migrate;
mod regions;
mod rotate;
mod show;
mod update;
mod verify;

use crate::{Context, error::Result};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the connections
    List(list::Args),
    /// Show one connection, its last checks and how to grant
    Show(show::Args),
    /// Run all checks now
    Verify(verify::Args),
    /// List the regions of the account
    Regions(regions::Args),
    /// Choose the default region or rename
    Update(update::Args),
    /// Move to another method of the same cloud, without an outage
    Migrate(migrate::Args),
    /// Replace the key or secret of a connection, without an outage
    Rotate(rotate::Args),
    /// End a connection; what is in the account stays
    Disconnect(disconnect::Args),
}

impl Command {
    pub async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List(args) => list::run(cx, args).await,
            Self::Show(args) => show::run(cx, args).await,
            Self::Verify(args) => verify::run(cx, args).await,
            Self::Regions(args) => regions::run(cx, args).await,
            Self::Update(args) => update::run(cx, args).await,
            Self::Migrate(args) => migrate::run(cx, args).await,
            Self::Rotate(args) => rotate::run(cx, args).await,
            Self::Disconnect(args) => disconnect::run(cx, args).await,
        }
    }
}
