use super::observe;
use crate::{App, audit};
use landfall_model::{
    Code, Error,
    connection::Connection,
    environment::Environment,
    error::Result,
    plan::{Plan, State},
    store::Write,
};
use landfall_plan::planner;
use serde_json::json;

/// Plans again and refuses when something else would come out: an approval is
/// for what was shown. The plan is then stale, and says why.
pub(crate) async fn refuse_stale(
    app: &App,
    plan: &Plan,
    environment: &Environment,
    connection: &Connection,
) -> Result<()> {
    let now = observe::plan_now(app, environment, connection).await?;
    let changed = planner::changed(plan, &now);
    let Some(first) = changed.first() else {
        return Ok(());
    };
    let error = Error::new(
        Code::PlanStale,
        format!("the world changed since the plan was made: {first}"),
        "make a new plan and look at it",
    );
    let mut stale = plan.clone();
    stale.state = State::Stale {
        at: app.now(),
        changed: changed.clone(),
    };
    stale.version += 1;
    let writes = vec![
        Write::PutPlan(stale),
        audit::system_entry(
            app,
            &plan.organization_id,
            "plan.stale",
            &plan.id,
            json!({ "changed": changed.len() }),
        ),
    ];
    app.commit("marking the plan as stale", writes).await?;
    Err(changed.into_iter().fold(error, |error, change| {
        error.with_violation("plan", change, None)
    }))
}
