use crate::{
    Context,
    error::{CliError, Result},
    output::ask,
    progress, resolve,
    views::human,
};
use landfall_model::{
    plan::{Plan, State},
    rollout::Rollout,
};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment, like shop/production: its name or id
    pub name: String,
    /// Start the rollout and return
    #[arg(long)]
    pub no_wait: bool,
}

pub async fn run(cx: &Context, args: Args) -> Result<()> {
    let environment = resolve::environment(&cx.client, &args.name).await?;
    cx.output.note("reading the account and planning …");
    let plan: Plan = cx
        .client
        .post(
            &format!("/environments/{}/plans", environment.id),
            &json!({}),
        )
        .await?;
    if plan.is_empty() {
        return cx.output.print(&plan, human::plan);
    }
    if let State::Proposed = plan.state
        && !cx.output.is_interactive()
    {
        cx.output.print(&plan, human::plan)?;
        return Err(CliError::Outcome(format!(
            "a person must approve: landfall approve {} --digest {} --deploy",
            plan.id, plan.digest
        )));
    }
    cx.output.note(&human::plan(&plan));
    if let State::Proposed = plan.state {
        if ask("\nType yes to approve exactly this plan: ")? != "yes" {
            return Err(CliError::Declined(plan.id.to_string()));
        }
        let _: Plan = cx
            .client
            .post(
                &format!("/plans/{}/approve", plan.id),
                &json!({ "digest": plan.digest }),
            )
            .await?;
    }
    let rollout: Rollout = cx
        .client
        .post(&format!("/plans/{}/rollouts", plan.id), &json!({}))
        .await?;
    if args.no_wait {
        return cx
            .output
            .print(&rollout, |one| human::rollouts(std::slice::from_ref(one)));
    }
    progress::follow(cx, &rollout.id).await
}
