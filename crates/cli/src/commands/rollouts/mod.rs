mod cancel;
mod list;
mod resume;
mod show;
mod watch;

use crate::{Context, error::Result};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the newest rollouts
    List(list::Args),
    /// Show where a rollout is
    Show(show::Args),
    /// Follow a rollout to its end
    Watch(watch::Args),
    /// Start nothing new; what is in flight ends
    Cancel(cancel::Args),
    /// Go on with a failed or canceled rollout
    Resume(resume::Args),
}

impl Command {
    pub async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::List(args) => list::run(cx, args).await,
            Self::Show(args) => show::run(cx, args).await,
            Self::Watch(args) => watch::run(cx, args).await,
            Self::Cancel(args) => cancel::run(cx, args).await,
            Self::Resume(args) => resume::run(cx, args).await,
        }
    }
}
