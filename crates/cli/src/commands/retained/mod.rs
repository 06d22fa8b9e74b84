mod destroy;
mod forget;
mod list;

use crate::{Context, error::Result};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what is retained, with its cost and reason
    List(list::Args),
    /// Destroy one resource for good: you type its name
    Destroy(destroy::Args),
    /// Stop listing one resource; it stays in the account
    Forget(forget::Args),
}

impl Command {
    pub async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List(args) => list::run(cx, args).await,
            Self::Destroy(args) => destroy::run(cx, args).await,
            Self::Forget(args) => forget::run(cx, args).await,
        }
    }
}
