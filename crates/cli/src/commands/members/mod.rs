mod add;
mod list;
mod remove;
mod set_role;

use crate::{Context, error::Result};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the members
    List(list::Args),
    /// Add a member
    Add(add::Args),
    /// Change a role
    SetRole(set_role::Args),
    /// Remove a member
    Remove(remove::Args),
}

impl Command {
    pub async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List(args) => list::run(cx, args).await,
            Self::Add(args) => add::run(cx, args).await,
            Self::SetRole(args) => set_role::run(cx, args).await,
            Self::Remove(args) => remove::run(cx, args).await,
        }
    }
}
