use crate::{Context, error::Result};
use landfall_model::id::MemberId;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The member's id
    pub id: MemberId,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let _: Value = cx.client.delete(&format!("/members/{}", args.id)).await?;
    cx.output.print(&json!({ "removed": args.id }), |_| {
        format!("Removed {}.", args.id)
    })
}
