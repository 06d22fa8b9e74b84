use crate::{Context, error::Result, resolve, views::human};
use landfall_model::connector::Region;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection: its name or id
    pub name: String,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let connection = resolve::connection(&cx.client, &args.name).await?;
    let items: Vec<Region> = cx
        .client
        .list(&format!("/connections/{}/regions", connection.id))
        .await?;
    cx.output.print(&items, |items| human::regions(items))
}
