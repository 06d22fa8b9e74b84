use crate::{Context, error::Result, views::human};
use landfall_model::{id::RolloutId, rollout::Rollout};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rollout's id
    pub id: RolloutId,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let one: Rollout = cx
        .client
        .post(&format!("/rollouts/{}/cancel", args.id), &json!({}))
        .await?;
    cx.output
        .note("canceling: nothing new starts, what is in flight ends");
    cx.output
        .print(&one, |one| human::rollouts(std::slice::from_ref(one)))
}
