mod aws;

use crate::{Context, error::Result};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Connect an AWS account by a role that trusts this server
    Aws(aws::Args),
}

impl Command {
    pub async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::Aws(args) => aws::run(cx, args).await,
        }
    }
}
