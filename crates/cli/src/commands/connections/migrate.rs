use crate::{
    Context,
    commands::connect::{Created, settled},
    error::{CliError, Result},
    resolve,
    views::human,
};
use landfall_model::connection::Connection;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connection: its name or id
    pub name: String,
    /// The method to move to: of the same cloud
    #[arg(long, required_unless_present = "stay")]
    pub method: Option<String>,
    /// Google Cloud: the project's number, which the setup prints
    #[arg(long)]
    pub project_number: Option<String>,
    /// Azure: the application's client id, which the setup prints
    #[arg(long)]
    pub client_id: Option<String>,
    /// Print how to grant the new way and return, instead of waiting for it
    #[arg(long)]
    pub no_wait: bool,
    /// Call the move off
    #[arg(long, conflicts_with_all = ["method", "project_number", "client_id", "no_wait"])]
    pub stay: bool,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let connection = resolve::connection(&cx.client, &args.name).await?;
    let path = format!("/connections/{}/migration", connection.id);
    if args.stay {
        let stayed: Connection = cx.client.delete(&path).await?;
        return cx.output.print(&stayed, human::connection);
    }
    let mut body = json!({ "method": args.method });
    for (field, value) in [
        ("project_number", args.project_number),
        ("client_id", args.client_id),
    ] {
        if let Some(value) = value {
            body[field] = value.into();
        }
    }
    let wanted = args.method.unwrap_or_default();
    let moving: Created = cx.client.post(&path, &body).await?;
    if args.no_wait {
        return cx
            .output
            .print(&moving, |moving| human::grant(&moving.grant));
    }
    cx.output.note(&human::grant(&moving.grant));
    let moved = settled(cx, moving.connection, |connection| {
        let migration = connection.migration.as_ref()?;
        Some(match &migration.waits_for {
            Some(reason) => format!("waiting for the new way: {reason}"),
            None => "waiting for the new way …".to_owned(),
        })
    })
    .await?;
    cx.output.print(&moved, human::connection)?;
    if moved.method().as_str() == wanted {
        Ok(())
    } else {
        Err(CliError::Outcome(format!(
            "the move was called off: the connection is by {}",
            moved.method()
        )))
    }
}
