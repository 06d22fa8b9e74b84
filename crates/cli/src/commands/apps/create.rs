use crate::{Context, error::Result};
use landfall_model::application::Application;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Lower-case letters, digits and dashes
    pub name: String,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let made: Application = cx
        .client
        .post("/applications", &json!({ "name": args.name }))
        .await?;
    cx.output.print(&made, |made| {
        format!(
            "Made {} ({}).\nNext: landfall apps push {} score.yaml",
            made.name, made.id, made.name
        )
    })
}
