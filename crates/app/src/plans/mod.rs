//! Plans and their approval.

mod create;
mod observe;
mod stale;
mod wanted;

pub use create::create;

pub(crate) use stale::refuse_stale;
pub(crate) use wanted::check_settings;

use crate::{Actor, App, Permission, approval, audit, environments, failed};
use landfall_model::{
    Error,
    approval::approve_by_person,
    digest::Digest,
    error::Result,
    id::{EnvironmentId, OrganizationId, PlanId},
    plan::{Plan, State},
    store::Write,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Newest first.
pub async fn list(
    app: &App,
    actor: &Actor,
    environment_id: &EnvironmentId,
    limit: Option<u32>,
) -> Result<Vec<Plan>> {
    audit::read(app, actor, Permission::PlanRead).await?;
    environments::find(app, actor.organization_id(), environment_id).await?;
    app.store
        .plans(
            actor.organization_id(),
            environment_id,
            limit.unwrap_or(20).clamp(1, 100),
        )
        .await
        .map_err(failed("listing plans"))
}

pub async fn show(app: &App, actor: &Actor, id: &PlanId) -> Result<Plan> {
    audit::read(app, actor, Permission::PlanRead).await?;
    find(app, actor.organization_id(), id).await
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Of the plan that the person was shown.
    #[schema(value_type = String)]
    pub digest: Digest,
}

/// A person's yes to exactly the plan with this digest.
pub async fn approve(app: &App, actor: &Actor, id: &PlanId, seen: Approve) -> Result<Plan> {
    let work = async {
        let mut plan = find(app, actor.organization_id(), id).await?;
        let approval = approve_by_person(&plan, actor.as_admin()?, &seen.digest, app.now())
            .map_err(approval::refused)?;
        let detail = json!({ "digest": approval.digest, "summary": plan.summary });
        plan.state = State::Approved { approval };
        plan.version += 1;
        let writes = vec![
            Write::PutPlan(plan.clone()),
            audit::entry(app, actor, Permission::PlanApprove, id, detail),
        ];
        app.commit("approving the plan", writes).await?;
        Ok(plan)
    };
    audit::attempt(app, actor, Permission::PlanApprove, id.as_str(), work).await
}

pub(crate) async fn find(app: &App, organization: &OrganizationId, id: &PlanId) -> Result<Plan> {
    app.store
        .plan(organization, id)
        .await
        .map_err(failed("reading the plan"))?
        .ok_or_else(|| Error::not_found("plan", id))
}
