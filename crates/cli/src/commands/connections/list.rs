use crate::{Context, error::Result, views::human};
use landfall_model::connection::View;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let Args {} = args;
    let items: Vec<View> = cx.client.list("/connections").await?;
    cx.output.print(&items, |items| human::connections(items))
}
