use crate::{Context, error::Result, resolve, views::human};
use landfall_model::rollout::Rollout;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only of this environment
    #[arg(long)]
    pub environment: Option<String>,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let path = match &args.environment {
        Some(name) => {
            let environment = resolve::environment(&cx.client, name).await?;
            format!("/rollouts?environment_id={}", environment.id)
        }
        None => "/rollouts".to_owned(),
    };
    let items: Vec<Rollout> = cx.client.list(&path).await?;
    cx.output.print(&items, |items| human::rollouts(items))
}
