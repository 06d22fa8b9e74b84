use crate::{Context, error::Result};
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let Args {} = args;
    let answer: Value = cx.client.get("/audit/verify").await?;
    cx.output.print(&answer, |answer| {
        format!("The chain of {} entries is unbroken.", answer["entries"])
    })
}
