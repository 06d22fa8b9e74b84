mod create;
mod delete;
mod list;
mod resources;
mod show;
mod update;

use crate::{Context, error::Result};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the environments
    List(list::Args),
    /// Make an environment of an application in a connected account
    Create(create::Args),
    /// Show an environment
    Show(show::Args),
    /// Change settings
    Update(update::Args),
    /// List what is in the account
    Resources(resources::Args),
    /// Delete an environment; its resources are retained
    Delete(delete::Args),
}

impl Command {
    pub async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List(args) => list::run(cx, args).await,
            Self::Create(args) => create::run(cx, args).await,
            Self::Show(args) => show::run(cx, args).await,
            Self::Update(args) => update::run(cx, args).await,
            Self::Resources(args) => resources::run(cx, args).await,
            Self::Delete(args) => delete::run(cx, args).await,
        }
    }
}
