use super::{enqueue, refuse_while_running};
use crate::{Actor, App, Permission, approval, audit, connections, environments, plans};
use landfall_model::{
    Code, Error,
    approval::{Approval, ApprovedPlan, Approver, Refusal},
    environment::{ApprovalPolicy, Environment},
    error::Result,
    id::{PlanId, RolloutId},
    plan::{self, Plan},
    rollout::{Rollout, State},
    store::Write,
};
use serde_json::json;

/// Runs an approved plan, if the world is still as it was planned.
pub async fn start(app: &App, actor: &Actor, plan_id: &PlanId) -> Result<Rollout> {
    let work = async {
        let organization = actor.organization_id();
        let mut plan = plans::find(app, organization, plan_id).await?;
        let approval = approved(&plan)?;
        // Computes the digest again; the engine does so, too.
        ApprovedPlan::from_stored(plan.clone()).map_err(approval::refused)?;
        // In this process the second of two starts waits and is told that the
        // environment is busy; between replicas it conflicts in the commit.
        let _one_at_a_time = app
            .locks
            .lock(format!("rollouts/{}", plan.environment_id))
            .await;
        let mut environment = environments::find(app, organization, &plan.environment_id).await?;
        refuse_while_running(app, &environment).await?;
        refuse_loose(app, &plan, &approval, &environment).await?;
        let connection = connections::find(app, organization, &environment.connection_id).await?;
        let connection = connections::ensure_fresh(app, connection).await?;
        connections::require_connected(&connection)?;
        plans::refuse_stale(app, &plan, &environment, &connection).await?;

        let now = app.now();
        let rollout = Rollout {
            id: RolloutId::at(now, &*app.entropy),
            organization_id: organization.clone(),
            environment_id: environment.id.clone(),
            plan_id: plan_id.clone(),
            started_by: actor.name().to_owned(),
            started_by_role: actor.role(),
            state: State::Queued { since: now },
            created_at: now,
            version: 1,
        };
        plan.state = plan::State::Used {
            approval,
            rollout_id: rollout.id.clone(),
        };
        plan.version += 1;
        environment.version += 1;
        let detail = json!({ "rollout": rollout.id, "digest": plan.digest });
        let writes = vec![
            // The lock of the environment: two starts, or a start and a
            // deletion, have read the same version, and one of them conflicts.
            Write::PutEnvironment(environment),
            Write::PutPlan(plan),
            Write::PutRollout(rollout.clone()),
            audit::entry(app, actor, Permission::RolloutStart, plan_id, detail),
            enqueue(app, &rollout),
        ];
        app.commit("starting the rollout", writes).await?;
        Ok(rollout)
    };
    audit::attempt(app, actor, Permission::RolloutStart, plan_id.as_str(), work).await
}

/// The policy may have been tightened since it approved the plan. Then nobody
/// has: the plan goes back to be read.
async fn refuse_loose(
    app: &App,
    plan: &Plan,
    approval: &Approval,
    environment: &Environment,
) -> Result<()> {
    if !too_loose(approval, environment) {
        return Ok(());
    }
    let mut proposed = plan.clone();
    proposed.state = plan::State::Proposed;
    proposed.version += 1;
    let detail = json!({ "approved_by": "policy", "policy": environment.approval });
    let writes = vec![
        Write::PutPlan(proposed),
        audit::system_entry(
            app,
            &plan.organization_id,
            "plan.approval-withdrawn",
            &plan.id,
            detail,
        ),
    ];
    app.commit("withdrawing the approval", writes).await?;
    Err(approval::refused(Refusal::ManualPolicy))
}

/// Whether only a policy that no longer holds said yes.
pub(super) fn too_loose(approval: &Approval, environment: &Environment) -> bool {
    approval.by == Approver::Policy && environment.approval == ApprovalPolicy::Manual
}

fn approved(plan: &Plan) -> Result<Approval> {
    match &plan.state {
        plan::State::Approved { approval } => Ok(approval.clone()),
        plan::State::Proposed => Err(approval::refused(Refusal::NotApproved)),
        plan::State::Used { rollout_id, .. } => Err(Error::new(
            Code::PlanState,
            format!("the rollout {rollout_id} used the plan: a plan is used once"),
            "make a new plan",
        )),
        plan::State::Stale { changed, .. } => Err(Error::new(
            Code::PlanStale,
            format!(
                "the plan is stale: {}",
                changed.first().map_or("the world changed", String::as_str)
            ),
            "make a new plan and look at it",
        )),
    }
}
