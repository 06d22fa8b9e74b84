use crate::{Context, error::Result, views::human};
use landfall_model::member::Member;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let Args {} = args;
    let items: Vec<Member> = cx.client.list("/members").await?;
    cx.output.print(&items, |items| human::members(items))
}
