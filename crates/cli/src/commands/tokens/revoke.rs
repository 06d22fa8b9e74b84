use crate::{Context, error::Result};
use landfall_model::id::TokenId;
use serde_json::{Value, json};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The token's id
    pub id: TokenId,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let _: Value = cx.client.delete(&format!("/tokens/{}", args.id)).await?;
    cx.output.print(&json!({ "revoked": args.id }), |_| {
        format!("Revoked {}.", args.id)
    })
}
