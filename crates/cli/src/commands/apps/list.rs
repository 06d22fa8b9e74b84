use crate::{Context, error::Result, views::human};
use landfall_model::application::Application;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let Args {} = args;
    let items: Vec<Application> = cx.client.list("/applications").await?;
    cx.output.print(&items, |items| human::applications(items))
}
