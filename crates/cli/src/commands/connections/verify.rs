use crate::{
    Context,
    error::{CliError, Result},
    resolve,
    views::human,
};
use landfall_model::check::{CheckRun, Outcome};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection: its name or id
    pub name: String,
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
    match run.outcome() {
        Outcome::Fail => Err(CliError::Outcome("a check failed".into())),
        _ => Ok(()),
    }
}
