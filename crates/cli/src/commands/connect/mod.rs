mod aws;
mod azure;
mod gcp;

use crate::{
    Context,
    error::{CliError, Result},
    views::human,
};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use landfall_model::{
    check::CheckRun,
    connection::{Connection, State},
    grant::GrantGuide,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Connect an AWS account by two roles that trust this server
    Aws(aws::Args),
    /// Connect a Google Cloud project by service accounts in it
    Gcp(gcp::Args),
    /// Connect an Azure subscription by applications in its tenant
    Azure(azure::Args),
}

impl Command {
    pub async fn run(self, cx: &Context) -> Result<()> {
        match self {
            Self::Aws(args) => aws::run(cx, args).await,
            Self::Gcp(args) => gcp::run(cx, args).await,
            Self::Azure(args) => azure::run(cx, args).await,
        }
    }
}

/// What the server answers to a new connection, and to a new way into one.
#[derive(Serialize, Deserialize)]
pub struct Created {
    pub connection: Connection,
    pub grant: GrantGuide,
}

/// What every connection is asked.
#[derive(Debug, clap::Args)]
pub struct Wishes {
    /// A name for the connection (default: <cloud>-<scope>)
    #[arg(long)]
    pub name: Option<String>,
    /// A region you want to use; may be given several times
    #[arg(long = "region")]
    pub regions: Vec<String>,
    /// Leave the reaper out: Landfall will never delete and prints what to
    /// delete by hand
    #[arg(long)]
    pub no_reaper: bool,
    /// Print how to grant and return, instead of waiting for it
    #[arg(long)]
    pub no_wait: bool,
}

/// Makes the connection that `body` says, and sees it through.
/// `told_later`: what the setup prints, with the command by which it is said;
/// before that nothing can be found, so nothing is waited for.
async fn begin(
    cx: &Context,
    wishes: Wishes,
    usual_name: String,
    mut body: Value,
    told_later: Option<(&str, &str)>,
) -> Result<()> {
    let name = wishes.name.unwrap_or(usual_name);
    body["name"] = name.clone().into();
    body["regions"] = wishes.regions.into();
    body["with_reaper"] = (!wishes.no_reaper).into();
    let created: Created = cx.client.post("/connections", &body).await?;
    if !wishes.no_wait && told_later.is_none() {
        return finish(cx, created).await;
    }
    cx.output
        .print(&created, |created| human::grant(&created.grant))?;
    if let Some((what, command)) = told_later {
        cx.output.note(&format!(
            "When the setup has printed the {what}: {}",
            command.replace("NAME", &name)
        ));
    }
    Ok(())
}

/// Says how to grant, waits for it, and shows what the checks found.
async fn finish(cx: &Context, created: Created) -> Result<()> {
    cx.output.note(&human::grant(&created.grant));
    let connection = settled(cx, created.connection, |connection| {
        match &connection.state {
            State::Pending { .. } => Some("waiting for the grant …".to_owned()),
            State::Propagating { .. } => {
                Some("seen; waiting until it works everywhere …".to_owned())
            }
            _ => None,
        }
    })
    .await?;
    let path = format!("/connections/{}/checks", connection.id);
    let runs: Vec<CheckRun> = cx.client.list(&path).await?;
    let checks = runs.into_iter().next();
    let shown = json!({ "connection": connection, "checks": checks });
    cx.output.print(&shown, |_| {
        let checks = checks.as_ref().map(human::check_run).unwrap_or_default();
        format!("{}\n{checks}", human::connection(&connection))
    })?;
    match connection.state {
        State::Connected { .. } => Ok(()),
        other => Err(CliError::Outcome(format!(
            "the connection is {}",
            other.as_str()
        ))),
    }
}

/// Looks until `waiting` has nothing more to say. Ends with the person's
/// Ctrl-C: the server goes on looking.
pub async fn settled(
    cx: &Context,
    mut connection: Connection,
    waiting: impl Fn(&Connection) -> Option<String>,
) -> Result<Connection> {
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(120));
    while let Some(message) = waiting(&connection) {
        spinner.set_message(message);
        tokio::time::sleep(Duration::from_millis(700)).await;
        connection = cx
            .client
            .get(&format!("/connections/{}", connection.id))
            .await?;
    }
    spinner.finish_and_clear();
    Ok(connection)
}
