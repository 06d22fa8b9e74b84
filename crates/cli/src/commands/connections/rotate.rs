use crate::{
    Context,
    commands::connect::settled,
    error::{CliError, Result},
    resolve, secret,
    views::human,
};
use landfall_model::connection::{Connection, RotationStep};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection: its name or id
    pub name: String,
    /// Google Cloud: a file with another JSON key of the same service account,
    /// or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret_file")]
    pub key_file: Option<String>,
    /// Azure: a file with the value of another secret of the application, or -
    /// for standard input. Without it Landfall makes one itself
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: Option<String>,
    /// Azure: the application's client id, where it was not said yet
    #[arg(long, requires = "client_secret_file")]
    pub client_id: Option<String>,
    /// Azure: the day on which the secret ends (2027-05-01)
    #[arg(long, requires = "client_secret_file")]
    pub secret_expires_at: Option<String>,
    /// Return at once, instead of waiting until the new one is in use
    #[arg(long)]
    pub no_wait: bool,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let connection = resolve::connection(&cx.client, &args.name).await?;
    let mut body = json!({});
    if let Some(path) = &args.key_file {
        body["service_account_key"] = secret::read(path, "the key file")?.into();
    }
    if let Some(path) = &args.client_secret_file {
        body["client_secret"] = secret::read_line(path, "the client secret")?.into();
    }
    if let Some(day) = args.secret_expires_at {
        body["secret_expires_at"] = day.into();
    }
    if let Some(id) = args.client_id {
        body["client_id"] = id.into();
    }
    let path = format!("/connections/{}/rotation", connection.id);
    let rotating: Connection = cx.client.post(&path, &body).await?;
    if args.no_wait {
        return cx.output.print(&rotating, human::connection);
    }
    let rotated = settled(cx, rotating, |connection| {
        let rotation = connection.rotation.as_ref()?;
        let doing = match &rotation.step {
            RotationStep::Adding { .. } => "making a new secret",
            RotationStep::Trying { .. } => "trying the new secret",
            RotationStep::Removing { .. } => "removing the old secret",
            RotationStep::GaveUp { .. } => return None,
        };
        Some(match &rotation.waits_for {
            Some(reason) => format!("{doing} …: {reason}"),
            None => format!("{doing} …"),
        })
    })
    .await?;
    cx.output.print(&rotated, human::connection)?;
    match rotated.rotation.map(|rotation| rotation.step) {
        Some(RotationStep::GaveUp { reason }) => Err(CliError::Outcome(reason)),
        _ => Ok(()),
    }
}
