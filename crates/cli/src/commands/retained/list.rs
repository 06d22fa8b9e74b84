use crate::{Context, error::Result, views::human};
use landfall_model::retained::Retained;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also those destroyed or forgotten
    #[arg(long)]
    pub all: bool,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let path = if args.all {
        "/retained?closed=true"
    } else {
        "/retained"
    };
    let items: Vec<Retained> = cx.client.list(path).await?;
    cx.output.print(&items, |items| human::retained(items))
}
