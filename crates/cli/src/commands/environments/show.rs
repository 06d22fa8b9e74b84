use crate::{Context, error::Result, resolve, views::human};
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment, like shop/production: its name or id
    pub name: String,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let one = resolve::environment(&cx.client, &args.name).await?;
    let shown: Value = cx.client.get(&format!("/environments/{}", one.id)).await?;
    cx.output.print(&shown, |shown| {
        let mut text = human::environments(std::slice::from_ref(&one));
        if let Some(notice) = shown["notice"].as_str() {
            text.push_str(&format!("\n\n{notice}"));
        }
        text
    })
}
