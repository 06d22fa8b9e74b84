use crate::{Context, error::Result, views::human};
use landfall_model::member::Member;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    pub name: String,
    #[arg(long, value_parser = ["viewer", "member", "admin"], default_value = "member")]
    pub role: String,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let made: Member = cx
        .client
        .post("/members", &json!({ "name": args.name, "role": args.role }))
        .await?;
    cx.output
        .print(&made, |one| human::members(std::slice::from_ref(one)))
}
