use crate::{Context, error::Result, resolve};
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The application: its name or id
    pub name: String,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let application = resolve::application(&cx.client, &args.name).await?;
    let answer: Value = cx
        .client
        .delete(&format!("/applications/{}", application.id))
        .await?;
    cx.output.print(&answer, |_| {
        format!(
            "Deleted {} from Landfall. What it made stays in the account: landfall retained list",
            application.name
        )
    })
}
