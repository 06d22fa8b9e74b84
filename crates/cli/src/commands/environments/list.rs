use crate::{Context, error::Result, views::human};
use landfall_model::environment::Environment;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let Args {} = args;
    let items: Vec<Environment> = cx.client.list("/environments").await?;
    cx.output.print(&items, |items| human::environments(items))
}
