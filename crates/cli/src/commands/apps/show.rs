use crate::{Context, error::Result, resolve, views::human};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The application: its name or id
    pub name: String,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let one = resolve::application(&cx.client, &args.name).await?;
    cx.output.print(&one, |one| {
        let mut text = human::applications(std::slice::from_ref(one));
        for (name, workload) in &one.workloads {
            text.push_str(&format!("\n\n--- {name}\n{}", workload.score.trim_end()));
        }
        text
    })
}
