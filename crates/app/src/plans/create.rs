use super::observe;
use crate::{Actor, App, Permission, audit, connections, environments};
use landfall_model::{
    approval::approve_by_policy,
    error::Result,
    id::EnvironmentId,
    plan::{Plan, State},
    store::Write,
};
use serde_json::json;

/// Compares what is wanted with what is recorded and with the account as it is
/// now. The environment's policy approves it at once where it may.
pub async fn create(app: &App, actor: &Actor, environment_id: &EnvironmentId) -> Result<Plan> {
    let work = async {
        let organization = actor.organization_id();
        let environment = environments::find(app, organization, environment_id).await?;
        let connection = connections::find(app, organization, &environment.connection_id).await?;
        // Everything that the plan needs was granted, and recently seen to be.
        let connection = connections::ensure_fresh(app, connection).await?;
        connections::require_connected(&connection)?;
        let mut plan = observe::plan_now(app, &environment, &connection).await?;
        let by_policy = approve_by_policy(&plan, environment.approval, app.now()).ok();
        let detail = json!({
            "environment": environment_id,
            "digest": plan.digest,
            "summary": plan.summary,
            "approved_by_policy": by_policy.is_some(),
        });
        if let Some(approval) = by_policy {
            plan.state = State::Approved { approval };
        }
        let writes = vec![
            Write::PutPlan(plan.clone()),
            audit::entry(app, actor, Permission::PlanCreate, &plan.id, detail),
        ];
        app.commit("storing the plan", writes).await?;
        Ok(plan)
    };
    audit::attempt(
        app,
        actor,
        Permission::PlanCreate,
        environment_id.as_str(),
        work,
    )
    .await
}
