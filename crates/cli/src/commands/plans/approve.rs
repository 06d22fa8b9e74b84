use crate::{
    Context,
    error::{CliError, Result},
    output::ask,
    progress,
    views::human,
};
use landfall_model::{plan::Plan, rollout::Rollout};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The plan's id
    pub plan: String,
    /// Approve without being asked; the plan must have this digest
    #[arg(long)]
    pub digest: Option<String>,
    /// Start the rollout as well, and follow it
    #[arg(long)]
    pub deploy: bool,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let plan: Plan = cx.client.get(&format!("/plans/{}", args.plan)).await?;
    let digest = match args.digest {
        Some(digest) => digest,
        None if cx.output.is_interactive() => {
            eprintln!("{}", human::plan(&plan));
            if ask("\nType yes to approve exactly this plan: ")? != "yes" {
                return Err(CliError::Declined(plan.id.to_string()));
            }
            plan.digest.to_string()
        }
        None => {
            return Err(CliError::Usage(format!(
                "nobody is at the terminal: read the plan, then give --digest {}",
                plan.digest
            )));
        }
    };
    let approved: Plan = cx
        .client
        .post(
            &format!("/plans/{}/approve", plan.id),
            &json!({ "digest": digest }),
        )
        .await?;
    if args.deploy {
        let rollout: Rollout = cx
            .client
            .post(&format!("/plans/{}/rollouts", plan.id), &json!({}))
            .await?;
        return progress::follow(cx, &rollout.id).await;
    }
    cx.output.print(&approved, |plan| {
        format!(
            "Approved {}.\nNext: landfall approve {} --deploy, or deploy the environment",
            plan.id, plan.id
        )
    })
}
