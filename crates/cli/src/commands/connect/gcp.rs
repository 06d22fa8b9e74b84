use super::{Created, finish};
use crate::{Context, error::Result, views::human};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The project's id: neither its name nor its number
    #[arg(long)]
    pub project: String,
    /// workload-identity: a pool in the project trusts tokens that this server
    /// signs, and no key exists anywhere
    #[arg(long, default_value = "workload-identity", value_parser = ["workload-identity"])]
    pub method: String,
    /// The project's number, which the setup prints; it can be said later
    #[arg(long)]
    pub project_number: Option<String>,
    /// A name for the connection (default: gcp-<project>)
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
    let name = args.name.unwrap_or_else(|| format!("gcp-{}", args.project));
    let mut body = json!({
        "name": name,
        "cloud": "gcp",
        "method": args.method,
        "project_id": args.project,
        "regions": args.regions,
        "with_reaper": !args.no_reaper,
    });
    // Until the number is known nothing can be found: somebody has to say it.
    let told = args.project_number.is_some();
    if let Some(number) = args.project_number {
        body["project_number"] = number.into();
    }
    let created: Created = cx.client.post("/connections", &body).await?;
    if args.no_wait || !told {
        cx.output
            .print(&created, |created| human::grant(&created.grant))?;
        if !told {
            cx.output.note(&format!(
                "When the setup has printed the project's number: landfall connections update {name} --project-number NUMBER"
            ));
        }
        return Ok(());
    }
    finish(cx, created).await
}
