use crate::{Context, error::Result, resolve, views::human};
use landfall_model::resource::Resource;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment: its name or id
    pub name: String,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let one = resolve::environment(&cx.client, &args.name).await?;
    let items: Vec<Resource> = cx
        .client
        .list(&format!("/environments/{}/resources", one.id))
        .await?;
    cx.output.print(&items, |items| human::resources(items))
}
