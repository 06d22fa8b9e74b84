use crate::{Context, error::Result, resolve, views::human};
use landfall_model::application::Application;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The application: its name or id
    pub name: String,
    /// The workload
    pub workload: String,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let application = resolve::application(&cx.client, &args.name).await?;
    let updated: Application = cx
        .client
        .delete(&format!(
            "/applications/{}/workloads/{}",
            application.id, args.workload
        ))
        .await?;
    cx.output.print(&updated, |one| {
        human::applications(std::slice::from_ref(one))
    })
}
