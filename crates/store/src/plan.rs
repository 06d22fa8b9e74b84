use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{
    id::{EnvironmentId, OrganizationId, PlanId},
    plan::Plan,
    store::StoreResult,
};

const NOUN: &str = "plan";

statements! {
    INSERT = Statement::new(
        "insert plan",
        "INSERT INTO plans (id, organization_id, environment_id, state, version, created_at, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    );
    UPDATE = Statement::new(
        "update plan",
        "UPDATE plans SET state = $4, version = $5, created_at = $6, body = $7
         WHERE id = $1 AND organization_id = $2 AND environment_id = $3 AND version + 1 = $5",
    );
    GET = Statement::new(
        "read plan",
        "SELECT body FROM plans WHERE organization_id = $1 AND id = $2",
    );
    LIST = Statement::new(
        "list plans",
        "SELECT body FROM plans WHERE organization_id = $1 AND environment_id = $2
         ORDER BY created_at DESC, id DESC LIMIT $3",
    );
}

pub(crate) async fn put(executor: &mut Executor<'_>, plan: &Plan) -> StoreResult<()> {
    let body = to_document(NOUN, plan)?;
    Subject {
        noun: NOUN,
        id: plan.id.as_str(),
        name: "",
    }
    .put(
        executor,
        plan.version,
        &INSERT,
        &UPDATE,
        args![
            plan.id.as_str(),
            plan.organization_id.as_str(),
            plan.environment_id.as_str(),
            plan.state.as_str(),
            plan.version,
            plan.created_at,
            &body,
        ],
    )
    .await
}

pub(crate) async fn get(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    id: &PlanId,
) -> StoreResult<Option<Plan>> {
    executor
        .document(NOUN, &GET, args![organization.as_str(), id.as_str()])
        .await
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    environment: &EnvironmentId,
    limit: u32,
) -> StoreResult<Vec<Plan>> {
    executor
        .documents(
            NOUN,
            &LIST,
            args![organization.as_str(), environment.as_str(), limit],
        )
        .await
}
