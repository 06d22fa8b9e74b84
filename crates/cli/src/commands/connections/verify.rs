use crate::{
    Context,
    error::{CliError, Result},
    resolve,
    views::human,
};
use landfall_model::{
    check::{CheckRun, Outcome},
    connection::Connection,
    id::CheckRunId,
};
use serde_json::json;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection: its name or id
    pub name: String,
    /// Go on showing each later run of the checks, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let connection = resolve::connection(&cx.client, &args.name).await?;
    cx.output
        .note(&format!("checking {} …", connection.scope()));
    let run: CheckRun = cx
        .client
        .post(
            &format!("/connections/{}/verify", connection.id),
            &json!({}),
        )
        .await?;
    cx.output.print(&run, human::check_run)?;
    if args.watch {
        return watch(cx, &connection, run.id).await;
    }
    match run.outcome() {
        Outcome::Fail => Err(CliError::Outcome("a check failed".into())),
        _ => Ok(()),
    }
}

/// The server looks by itself; this shows what it finds.
async fn watch(cx: &Context, connection: &Connection, mut seen: CheckRunId) -> Result<()> {
    let path = format!("/connections/{}/checks", connection.id);
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let runs: Vec<CheckRun> = cx.client.list(&path).await?;
        let new: Vec<_> = runs.into_iter().take_while(|run| run.id != seen).collect();
        for run in new.iter().rev() {
            cx.output.print(run, human::check_run)?;
            seen = run.id.clone();
        }
    }
}
