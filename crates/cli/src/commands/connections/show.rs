use crate::{Context, error::Result, resolve, views::human};
use landfall_model::{check::CheckRun, connection::View, grant::GrantGuide};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection: its name or id
    pub name: String,
    /// Also print how to make the grant
    #[arg(long)]
    pub grant: bool,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let found = resolve::connection(&cx.client, &args.name).await?;
    let path = format!("/connections/{}", found.id);
    let seen: View = cx.client.get(&path).await?;
    let runs: Vec<CheckRun> = cx.client.list(&format!("{path}/checks")).await?;
    let guide: Option<GrantGuide> = if args.grant {
        Some(cx.client.get(&format!("{path}/grant")).await?)
    } else {
        None
    };
    let checks = runs.into_iter().next();
    let shown = serde_json::json!({ "connection": seen, "checks": checks, "grant": guide });
    cx.output.print(&shown, |_| {
        let mut text = human::seen(&seen);
        if let Some(run) = &checks {
            text.push_str(&format!(
                "\nChecks of {}\n{}\n",
                human::minute(run.finished_at),
                human::check_run(run)
            ));
        }
        if let Some(guide) = &guide {
            text.push('\n');
            text.push_str(&human::grant(guide));
        }
        text
    })
}
