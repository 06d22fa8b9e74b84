mod apps;
mod audit;
mod connect;
mod connections;
mod deploy;
mod environments;
pub mod explain;
mod members;
mod plans;
mod retained;
mod rollouts;
mod tokens;

use crate::{Context, error::Result};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Connect a cloud account
    #[command(subcommand)]
    Connect(connect::Command),
    /// Connections and their checks
    #[command(subcommand)]
    Connections(connections::Command),
    /// Applications and their Score files
    #[command(subcommand)]
    Apps(apps::Command),
    /// Environments of applications
    #[command(subcommand)]
    Environments(environments::Command),
    /// Show what a deploy would do
    Plan(plans::create::Args),
    /// Say yes to a plan
    Approve(plans::approve::Args),
    /// Plan, approve where the policy allows, roll out and follow
    Deploy(deploy::Args),
    /// Runs of plans
    #[command(subcommand)]
    Rollouts(rollouts::Command),
    /// What is no longer wanted but still in the account
    #[command(subcommand)]
    Retained(retained::Command),
    /// Who did what
    #[command(subcommand)]
    Audit(audit::Command),
    /// API tokens
    #[command(subcommand)]
    Tokens(tokens::Command),
    /// Members of the organization
    #[command(subcommand)]
    Members(members::Command),
    /// Explain an error code
    Explain(explain::Args),
}

impl ClientCommand {
    pub(crate) async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::Connect(command) => command.run(cx).await,
            Self::Connections(command) => command.run(cx).await,
            Self::Apps(command) => command.run(cx).await,
            Self::Environments(command) => command.run(cx).await,
            Self::Plan(args) => plans::create::run(cx, args).await,
            Self::Approve(args) => plans::approve::run(cx, args).await,
            Self::Deploy(args) => deploy::run(cx, args).await,
            Self::Rollouts(command) => command.run(cx).await,
            Self::Retained(command) => command.run(cx).await,
            Self::Audit(command) => command.run(cx).await,
            Self::Tokens(command) => command.run(cx).await,
            Self::Members(command) => command.run(cx).await,
            Self::Explain(args) => explain::run(cx.output, &args),
        }
    }
}
