use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{
    environment::{Environment, State},
    id::{EnvironmentId, OrganizationId},
    store::StoreResult,
};

const NOUN: &str = "environment";

statements! {
    INSERT = Statement::new(
        "insert environment",
        "INSERT INTO environments
         (id, organization_id, application_id, connection_id, name, state, version, created_at, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    );
    /// Application and connection never change: moving an environment to another
    /// account is making a new one.
    UPDATE = Statement::new(
        "update environment",
        "UPDATE environments SET name = $5, state = $6, version = $7, created_at = $8, body = $9
         WHERE id = $1 AND organization_id = $2 AND application_id = $3 AND connection_id = $4
           AND version + 1 = $7",
    );
    LIST = Statement::new(
        "list environments",
        "SELECT body FROM environments WHERE organization_id = $1 ORDER BY created_at, id",
    );
    GET = Statement::new(
        "read environment",
        "SELECT body FROM environments WHERE organization_id = $1 AND id = $2",
    );
}

pub(crate) async fn put(executor: &mut Executor<'_>, environment: &Environment) -> StoreResult<()> {
    let body = to_document(NOUN, environment)?;
    let state = match environment.state {
        State::Active => "active",
        State::Deleted { .. } => "deleted",
    };
    Subject {
        noun: NOUN,
        id: environment.id.as_str(),
        name: &environment.name,
    }
    .put(
        executor,
        environment.version,
        &INSERT,
        &UPDATE,
        args![
            environment.id.as_str(),
            environment.organization_id.as_str(),
            environment.application_id.as_str(),
            environment.connection_id.as_str(),
            &environment.name,
            state,
            environment.version,
            environment.created_at,
            &body,
        ],
    )
    .await
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
) -> StoreResult<Vec<Environment>> {
    executor
        .documents(NOUN, &LIST, args![organization.as_str()])
        .await
}

pub(crate) async fn get(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    id: &EnvironmentId,
) -> StoreResult<Option<Environment>> {
    executor
        .document(NOUN, &GET, args![organization.as_str(), id.as_str()])
        .await
}
