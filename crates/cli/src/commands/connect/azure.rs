use super::{Wishes, begin};
use crate::{Context, error::Result, secret};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The tenant's id (Microsoft Entra ID → Overview)
    #[arg(long)]
    pub tenant: String,
    /// The subscription's id
    #[arg(long)]
    pub subscription: String,
    /// The id of a management group above the subscription, to grant all of it
    #[arg(long, value_name = "ID")]
    pub management_group: Option<String>,
    /// Make the broad role that other products ask for. It can delete, and give
    /// itself and others any role; with a management group, in all of it. One
    /// key is then enough to destroy
    #[arg(long)]
    pub broad_role: bool,
    /// workload-identity: an application in the tenant trusts tokens that this
    /// server signs, and no secret exists anywhere. admin-consent: an
    /// administrator approves this server's application on Microsoft's page.
    /// client-secret: you hand over an application's secret
    #[arg(
        long,
        default_value = "workload-identity",
        default_value_if("client_secret_file", clap::builder::ArgPredicate::IsPresent, "client-secret"),
        value_parser = ["workload-identity", "admin-consent", "client-secret"]
    )]
    pub method: String,
    /// The application's client id. With workload-identity the setup prints it,
    /// and it can be said later
    #[arg(long)]
    pub client_id: Option<String>,
    /// client-secret: a file with the secret's value, or - for standard input.
    /// The setup prints both; they can be said later
    #[arg(long, value_name = "FILE", requires = "client_id")]
    pub client_secret_file: Option<String>,
    /// client-secret: the day on which it ends (2027-05-01)
    #[arg(long, requires = "client_secret_file")]
    pub secret_expires_at: Option<String>,
    #[command(flatten)]
    pub wishes: Wishes,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let name = format!("azure-{}", args.subscription);
    let mut body = json!({
        "cloud": "azure",
        "method": args.method,
        "tenant_id": args.tenant,
        "subscription_id": args.subscription,
    });
    if let Some(group) = args.management_group {
        body["management_group"] = group.into();
    }
    if args.broad_role {
        body["breadth"] = "broad".into();
    }
    if let Some(path) = &args.client_secret_file {
        body["client_secret"] = secret::read_line(path, "the client secret")?.into();
    }
    if let Some(day) = args.secret_expires_at {
        body["secret_expires_at"] = day.into();
    }
    let mut told_later = None;
    match args.client_id {
        Some(id) => body["client_id"] = id.into(),
        None if args.method == "workload-identity" => {
            told_later = Some((
                "client id",
                "landfall connections update NAME --client-id ID",
            ));
        }
        None if args.method == "client-secret" => {
            told_later = Some((
                "client id and the secret",
                "landfall connections rotate NAME --client-id ID --client-secret-file -",
            ));
        }
        None => {}
    }
    if args.method == "admin-consent" {
        cx.output.note(&format!(
            "An administrator approves on the connection's page: {}/connections",
            cx.client.server()
        ));
    }
    begin(cx, args.wishes, name, body, told_later).await
}
