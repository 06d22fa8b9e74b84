use crate::{Context, error::Result, resolve};
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment: its name or id
    pub name: String,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let one = resolve::environment(&cx.client, &args.name).await?;
    let answer: Value = cx
        .client
        .delete(&format!("/environments/{}", one.id))
        .await?;
    cx.output.print(&answer, |_| {
        format!(
            "Deleted {} from Landfall. What it made stays in the account: landfall retained list",
            one.name
        )
    })
}
