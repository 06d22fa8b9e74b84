use crate::{
    Context,
    error::{CliError, Result},
    resolve,
    views::human,
};
use landfall_model::environment::Environment;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// `<application>/<environment>`
    pub name: String,
    /// The connection: its name, id or account
    #[arg(long)]
    pub connection: String,
    #[arg(long, value_parser = ["production", "development", "preview"], default_value = "production")]
    pub kind: String,
    /// Default: the connection's
    #[arg(long)]
    pub region: Option<String>,
    #[arg(long, value_parser = ["automatic", "manual"])]
    pub approval: Option<String>,
    #[command(flatten)]
    pub settings: super::update::Settings,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let Some((application, name)) = args.name.split_once('/') else {
        return Err(CliError::Usage(format!(
            "'{}' has no application: write <application>/<environment>",
            args.name
        )));
    };
    let application = resolve::application(&cx.client, application).await?;
    let connection = resolve::connection(&cx.client, &args.connection).await?;
    let mut body = json!({
        "application_id": application.id,
        "connection_id": connection.id,
        "name": name,
        "kind": args.kind,
        "settings": args.settings.to_json(json!({}))?,
    });
    if let Some(region) = args.region {
        body["region"] = region.into();
    }
    if let Some(approval) = args.approval {
        body["approval"] = approval.into();
    }
    let made: Environment = cx.client.post("/environments", &body).await?;
    cx.output.print(&made, |made| {
        format!(
            "{}\n\nNext: landfall deploy {}/{}",
            human::environments(std::slice::from_ref(made)),
            application.name,
            made.name
        )
    })
}
