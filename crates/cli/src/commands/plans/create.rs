use crate::{Context, error::Result, resolve, views::human};
use landfall_model::plan::{Plan, State};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment: its name or id
    pub name: String,
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
    cx.output.print(&plan, |plan| {
        let mut text = human::plan(plan);
        match plan.state {
            _ if plan.is_empty() => {}
            State::Proposed => {
                text.push_str(&format!("\nNext: landfall approve {}", plan.id));
            }
            State::Approved { .. } => {
                text.push_str(&format!("\nNext: landfall approve {} --deploy", plan.id));
            }
            State::Used { .. } | State::Stale { .. } => {}
        }
        text
    })
}
