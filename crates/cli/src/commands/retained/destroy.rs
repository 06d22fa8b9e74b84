use crate::{
    Context,
    error::{CliError, Result},
    output::ask,
    views::human,
};
use landfall_model::{
    id::RetainedId,
    retained::{Retained, State},
};
use serde_json::json;
use std::time::Duration;

/// Follows the destruction to its end.
async fn wait(cx: &Context, mut one: Retained) -> Result<()> {
    cx.output.note("approved; the reaper is at work …");
    while let State::Destroying { .. } = one.state {
        tokio::time::sleep(Duration::from_millis(500)).await;
        one = cx.client.get(&format!("/retained/{}", one.id)).await?;
    }
    cx.output
        .print(&one, |one| human::retained(std::slice::from_ref(one)))?;
    match one.state {
        State::DestructionFailed { failure, .. } => {
            Err(CliError::Outcome(human::failure(&failure)))
        }
        _ => Ok(()),
    }
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The retained resource's id
    pub id: RetainedId,
    /// Its name, typed here instead of at the question
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Do not wait for the end
    #[arg(long)]
    pub no_wait: bool,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let one: Retained = cx.client.get(&format!("/retained/{}", args.id)).await?;
    let typed = match args.confirm {
        Some(typed) => typed,
        None if cx.output.is_interactive() => {
            eprintln!("{}\n", human::retained(std::slice::from_ref(&one)));
            ask("Type its name to destroy it for good: ")?
        }
        None => {
            return Err(CliError::Usage(
                "nobody is at the terminal: give --confirm with the resource's name".into(),
            ));
        }
    };
    let one: Retained = cx
        .client
        .post(
            &format!("/retained/{}/destroy", args.id),
            &json!({ "typed_name": typed }),
        )
        .await?;
    if !args.no_wait {
        return wait(cx, one).await;
    }
    cx.output.note(
        "Destruction is approved; the reaper is at work. Watch it: landfall retained list --all",
    );
    cx.output
        .print(&one, |one| human::retained(std::slice::from_ref(one)))
}
