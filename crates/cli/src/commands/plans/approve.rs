use crate::{
    Context,
    error::{CliError, Result},
    output::ask,
    progress,
    views::human,
};
use landfall_model::{
    Code, Error,
    error::Problem,
    plan::{Plan, State},
    rollout::Rollout,
};
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
    let approved = match plan.state {
        State::Approved { .. } => already(cx, plan, args.digest)?,
        // The server says why one that is used or stale cannot be approved.
        State::Proposed | State::Used { .. } | State::Stale { .. } => {
            approve(cx, plan, args.digest).await?
        }
    };
    if args.deploy {
        let rollout: Rollout = cx
            .client
            .post(&format!("/plans/{}/rollouts", approved.id), &json!({}))
            .await?;
        return progress::follow(cx, &rollout.id).await;
    }
    // Not `deploy`: that makes another plan, which needs an approval of its own.
    cx.output.print(&approved, |plan| {
        format!(
            "Approved {}.\nNext: landfall approve {} --deploy",
            plan.id, plan.id
        )
    })
}

/// Approved before: nothing is left to say yes to, but a digest that somebody
/// took the trouble to give must be this plan's.
fn already(cx: &Context, plan: Plan, digest: Option<String>) -> Result<Plan> {
    if digest.is_some_and(|digest| digest != plan.digest.as_str()) {
        let error = Error::new(
            Code::PlanDigestMismatch,
            format!(
                "the plan's digest is {}, not the one that was given",
                plan.digest
            ),
            "read the plan again and approve the digest that it has now",
        );
        return Err(CliError::Refused(Box::new(Problem::from(&error))));
    }
    cx.output.note("it is approved already");
    Ok(plan)
}

async fn approve(cx: &Context, plan: Plan, digest: Option<String>) -> Result<Plan> {
    let digest = match digest {
        Some(digest) => digest,
        None if cx.output.is_interactive() => {
            cx.output.note(&human::plan(&plan));
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
    let path = format!("/plans/{}/approve", plan.id);
    cx.client.post(&path, &json!({ "digest": digest })).await
}
