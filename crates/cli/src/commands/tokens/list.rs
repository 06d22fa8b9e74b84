use crate::{Context, error::Result, views::human};
use landfall_model::token::Token;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let Args {} = args;
    let items: Vec<Token> = cx.client.list("/tokens").await?;
    cx.output.print(&items, |items| human::tokens(items))
}
