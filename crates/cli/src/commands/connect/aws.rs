use super::{Created, finish};
use crate::{Context, error::Result, views::human};
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
    /// A name for the connection (default: aws-<account>)
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long, default_value = "aws", value_parser = ["aws", "aws-us-gov", "aws-cn"])]
    pub partition: String,
    /// A region you want to use; may be given several times
    #[arg(long = "region")]
    pub regions: Vec<String>,
    /// Leave the reaper out: Landfall will never delete and prints what to
    /// delete by hand
    #[arg(long)]
    pub no_reaper: bool,
    /// Print how to grant and return, instead of waiting for it
    #[arg(long)]
    pub no_wait: bool,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let name = args.name.unwrap_or_else(|| format!("aws-{}", args.account));
    let body = json!({
        "name": name,
        "cloud": "aws",
        "account_id": args.account,
        "method": args.method,
        "partition": args.partition,
        "regions": args.regions,
        "with_reaper": !args.no_reaper,
    });
    let created: Created = cx.client.post("/connections", &body).await?;
    if args.no_wait {
        return cx
            .output
            .print(&created, |created| human::grant(&created.grant));
    }
    finish(cx, created).await
}
