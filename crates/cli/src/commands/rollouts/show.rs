use crate::{Context, error::Result, views::human};
use landfall_model::{id::RolloutId, rollout::RolloutProgress};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rollout's id
    pub id: RolloutId,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let one: RolloutProgress = cx.client.get(&format!("/rollouts/{}", args.id)).await?;
    cx.output.print(&one, human::rollout)
}
