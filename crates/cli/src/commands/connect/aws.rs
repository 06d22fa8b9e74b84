use crate::{
    Context,
    error::{CliError, Result},
    views::human,
};
use indicatif::{ProgressBar, ProgressStyle};
use landfall_model::{
    check::CheckRun,
    connection::{Connection, State},
    grant::GrantGuide,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Created {
    connection: Connection,
    grant: GrantGuide,
}

/// Looks until the grant is there and checked. Ends with the person's Ctrl-C:
/// the server goes on looking.
async fn wait(cx: &Context, mut connection: Connection) -> Result<Connection> {
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(120));
    loop {
        match &connection.state {
            State::Pending { .. } => spinner.set_message("waiting for the grant …"),
            State::Propagating { .. } => {
                spinner.set_message("seen; waiting until IAM has settled …");
            }
            _ => break,
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        connection = cx
            .client
            .get(&format!("/connections/{}", connection.id))
            .await?;
    }
    spinner.finish_and_clear();
    Ok(connection)
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The 12-digit account id
    #[arg(long)]
    pub account: String,
    /// A name for the connection (default: aws-<account>)
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long, default_value = "aws", value_parser = ["aws", "aws-us-gov", "aws-cn"])]
    pub partition: String,
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

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let name = args.name.unwrap_or_else(|| format!("aws-{}", args.account));
    let body = json!({
        "name": name,
        "account_id": args.account,
        "method": "assume-role",
        "partition": args.partition,
        "regions": args.regions,
        "with_reaper": !args.no_reaper,
    });
    let created: Created = cx.client.post("/connections", &body).await?;
    if args.no_wait {
        return cx
            .output
            .print(&created, |created| human::grant(&created.grant));
    }
    cx.output.note(&human::grant(&created.grant));
    let connection = wait(cx, created.connection).await?;
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
