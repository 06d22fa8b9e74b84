use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{
    id::{EnvironmentId, OrganizationId, RolloutId},
    rollout::Rollout,
    store::StoreResult,
};

const NOUN: &str = "rollout";

statements! {
    INSERT = Statement::new(
        "insert rollout",
        "INSERT INTO rollouts
         (id, organization_id, environment_id, plan_id, state, version, created_at, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    UPDATE = Statement::new(
        "update rollout",
        "UPDATE rollouts SET state = $5, version = $6, created_at = $7, body = $8
         WHERE id = $1 AND organization_id = $2 AND environment_id = $3 AND plan_id = $4
           AND version + 1 = $6",
    );
    GET = Statement::new(
        "read rollout",
        "SELECT body FROM rollouts WHERE organization_id = $1 AND id = $2",
    );
    LIST = Statement::new(
        "list rollouts",
        "SELECT body FROM rollouts WHERE organization_id = $1
         ORDER BY created_at DESC, id DESC LIMIT $2",
    );
    LIST_OF_ENVIRONMENT = Statement::new(
        "list an environment's rollouts",
        "SELECT body FROM rollouts WHERE organization_id = $1 AND environment_id = $2
         ORDER BY created_at DESC, id DESC LIMIT $3",
    );
}

pub(crate) async fn put(executor: &mut Executor<'_>, rollout: &Rollout) -> StoreResult<()> {
    let body = to_document(NOUN, rollout)?;
    Subject {
        noun: NOUN,
        id: rollout.id.as_str(),
        name: "",
    }
    .put(
        executor,
        rollout.version,
        &INSERT,
        &UPDATE,
        args![
            rollout.id.as_str(),
            rollout.organization_id.as_str(),
            rollout.environment_id.as_str(),
            rollout.plan_id.as_str(),
            rollout.state.as_str(),
            rollout.version,
            rollout.created_at,
            &body,
        ],
    )
    .await
}

pub(crate) async fn get(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    id: &RolloutId,
) -> StoreResult<Option<Rollout>> {
    executor
        .document(NOUN, &GET, args![organization.as_str(), id.as_str()])
        .await
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    environment: Option<&EnvironmentId>,
    limit: u32,
) -> StoreResult<Vec<Rollout>> {
    match environment {
        Some(environment) => {
            executor
                .documents(
                    NOUN,
                    &LIST_OF_ENVIRONMENT,
                    args![organization.as_str(), environment.as_str(), limit],
                )
                .await
        }
        None => {
            executor
                .documents(NOUN, &LIST, args![organization.as_str(), limit])
                .await
        }
    }
}
