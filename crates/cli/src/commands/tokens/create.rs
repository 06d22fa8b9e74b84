use crate::{Context, error::Result};
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What it is for
    pub name: String,
    #[arg(long, value_parser = ["viewer", "member", "admin"], default_value = "member")]
    pub role: String,
    /// Days until it expires, 1 to 365
    #[arg(long, default_value_t = 90)]
    pub days: u32,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let body = json!({ "name": args.name, "role": args.role, "days": args.days });
    let made: Value = cx.client.post("/tokens", &body).await?;
    cx.output
        .note("This is the only time the secret is shown; Landfall keeps its hash.");
    cx.output.print(&made, |made| {
        made["secret"].as_str().unwrap_or_default().to_owned()
    })
}
