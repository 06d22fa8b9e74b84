use crate::{Context, error::Result, views::human};
use landfall_model::retained::Retained;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also those destroyed or forgotten
    #[arg(long)]
    pub all: bool,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let mut items: Vec<Retained> = cx.client.list("/retained").await?;
    items.retain(|one| args.all || one.state.is_open());
    cx.output.print(&items, |items| human::retained(items))
}
