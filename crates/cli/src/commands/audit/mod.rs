mod list;
mod verify;

use crate::{Context, error::Result};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the newest entries
    List(list::Args),
    /// Check that the chain is unbroken
    Verify(verify::Args),
}

impl Command {
    pub async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List(args) => list::run(cx, args).await,
            Self::Verify(args) => verify::run(cx, args).await,
        }
    }
}
