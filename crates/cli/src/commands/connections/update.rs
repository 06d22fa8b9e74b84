use crate::{Context, error::Result, resolve, views::human};
use landfall_model::connection::Connection;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection: its name or id
    pub name: String,
    /// Where new environments go
    #[arg(long)]
    pub default_region: Option<String>,
    /// A new name
    #[arg(long)]
    pub rename: Option<String>,
    /// The regions you want to use
    #[arg(long = "region")]
    pub regions: Vec<String>,
    /// Google Cloud: the project's number, which the setup printed
    #[arg(long)]
    pub project_number: Option<String>,
    /// Azure: the application's client id, which the setup printed
    #[arg(long)]
    pub client_id: Option<String>,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let connection = resolve::connection(&cx.client, &args.name).await?;
    let mut body = serde_json::Map::new();
    if let Some(region) = args.default_region {
        body.insert("default_region".into(), region.into());
    }
    if let Some(name) = args.rename {
        body.insert("name".into(), name.into());
    }
    for (field, value) in [
        ("project_number", args.project_number),
        ("client_id", args.client_id),
    ] {
        if let Some(value) = value {
            body.insert(field.into(), value.into());
        }
    }
    if !args.regions.is_empty() {
        body.insert("regions".into(), args.regions.into());
    }
    let updated: Connection = cx
        .client
        .patch(&format!("/connections/{}", connection.id), &body.into())
        .await?;
    cx.output.print(&updated, human::connection)
}
