use crate::{Context, error::Result, progress};
use landfall_model::{id::RolloutId, rollout::Rollout};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rollout's id
    pub id: RolloutId,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let _: Rollout = cx
        .client
        .post(&format!("/rollouts/{}/resume", args.id), &json!({}))
        .await?;
    progress::follow(cx, &args.id).await
}
