use super::{Wishes, begin};
use crate::{Context, error::Result};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The 12-digit account id
    #[arg(long)]
    pub account: String,
    /// assume-role: the roles trust this server's principal. oidc: they trust
    /// tokens that this server signs, and no key exists anywhere
    #[arg(long, default_value = "assume-role", value_parser = ["oidc", "assume-role"])]
    pub method: String,
    #[arg(long, default_value = "aws", value_parser = ["aws", "aws-us-gov", "aws-cn"])]
    pub partition: String,
    #[command(flatten)]
    pub wishes: Wishes,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let name = format!("aws-{}", args.account);
    let body = json!({
        "cloud": "aws",
        "account_id": args.account,
        "method": args.method,
        "partition": args.partition,
    });
    begin(cx, args.wishes, name, body, None).await
}
