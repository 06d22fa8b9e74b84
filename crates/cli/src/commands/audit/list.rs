use crate::{Context, error::Result, views::human};
use landfall_model::audit::Entry;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Entries after this number, oldest first (default: the newest)
    #[arg(long)]
    pub after: Option<u64>,
    #[arg(long, default_value_t = 50)]
    pub limit: u32,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let mut path = format!("/audit?limit={}", args.limit);
    if let Some(after) = args.after {
        path.push_str(&format!("&after={after}"));
    }
    let items: Vec<Entry> = cx.client.list(&path).await?;
    cx.output.print(&items, |items| human::audit(items))
}
