use super::{Created, finish};
use crate::{Context, error::Result, views::human};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The tenant's id (Microsoft Entra ID → Overview)
    #[arg(long)]
    pub tenant: String,
    /// The subscription's id
    #[arg(long)]
    pub subscription: String,
    /// workload-identity: an application in the tenant trusts tokens that this
    /// server signs, and no secret exists anywhere
    #[arg(long, default_value = "workload-identity", value_parser = ["workload-identity"])]
    pub method: String,
    /// The application's client id, which the setup prints; it can be said later
    #[arg(long)]
    pub client_id: Option<String>,
    /// A name for the connection (default: azure-<subscription>)
    #[arg(long)]
    pub name: Option<String>,
    /// A region you want to use; may be given several times
    #[arg(long = "region")]
    pub regions: Vec<String>,
    /// Leave the reaper out: Landfall will never delete and prints what to
    /// delete by hand
    #[arg(long)]
    pub no_reaper: bool,
    /// Print how to grant and return, instead of waiting for it
    #[arg(long)]
    pub no_wait: bool,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let name = args
        .name
        .unwrap_or_else(|| format!("azure-{}", args.subscription));
    let mut body = json!({
        "name": name,
        "cloud": "azure",
        "method": args.method,
        "tenant_id": args.tenant,
        "subscription_id": args.subscription,
        "regions": args.regions,
        "with_reaper": !args.no_reaper,
    });
    // Until the application is known nothing can be found: somebody has to say
    // which it is.
    let told = args.client_id.is_some();
    if let Some(client_id) = args.client_id {
        body["client_id"] = client_id.into();
    }
    let created: Created = cx.client.post("/connections", &body).await?;
    if args.no_wait || !told {
        cx.output
            .print(&created, |created| human::grant(&created.grant))?;
        if !told {
            cx.output.note(&format!(
                "When the setup has printed the client id: landfall connections update {name} --client-id ID"
            ));
        }
        return Ok(());
    }
    finish(cx, created).await
}
