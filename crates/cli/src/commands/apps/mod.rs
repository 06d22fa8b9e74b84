mod create;
mod delete;
mod list;
mod push;
mod remove;
mod show;

use crate::{Context, error::Result};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the applications
    List(list::Args),
    /// Make an application
    Create(create::Args),
    /// Show an application
    Show(show::Args),
    /// Put a Score file as a workload
    Push(push::Args),
    /// Take a workload out
    Remove(remove::Args),
    /// Delete an application; its resources are retained
    Delete(delete::Args),
}

impl Command {
    pub async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List(args) => list::run(cx, args).await,
            Self::Create(args) => create::run(cx, args).await,
            Self::Show(args) => show::run(cx, args).await,
            Self::Push(args) => push::run(cx, args).await,
            Self::Remove(args) => remove::run(cx, args).await,
            Self::Delete(args) => delete::run(cx, args).await,
        }
    }
}
