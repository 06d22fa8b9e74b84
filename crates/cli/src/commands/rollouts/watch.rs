use crate::{Context, error::Result, progress};
use landfall_model::id::RolloutId;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rollout's id
    pub id: RolloutId,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    progress::follow(cx, &args.id).await
}
