use crate::{Context, error::Result, views::human};
use landfall_model::{id::MemberId, member::Member};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The member's id
    pub id: MemberId,
    #[arg(value_parser = ["viewer", "member", "admin"])]
    pub role: String,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let one: Member = cx
        .client
        .patch(
            &format!("/members/{}", args.id),
            &json!({ "role": args.role }),
        )
        .await?;
    cx.output
        .print(&one, |one| human::members(std::slice::from_ref(one)))
}
