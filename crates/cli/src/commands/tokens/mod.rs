mod create;
mod list;
mod revoke;

use crate::{Context, error::Result};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the tokens
    List(list::Args),
    /// Make a token; its secret is shown once
    Create(create::Args),
    /// Revoke a token
    Revoke(revoke::Args),
}

impl Command {
    pub async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List(args) => list::run(cx, args).await,
            Self::Create(args) => create::run(cx, args).await,
            Self::Revoke(args) => revoke::run(cx, args).await,
        }
    }
}
