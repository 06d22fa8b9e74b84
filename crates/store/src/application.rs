use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{
    application::{Application, State},
    id::{ApplicationId, OrganizationId},
    store::StoreResult,
};

const NOUN: &str = "application";

statements! {
    INSERT = Statement::new(
        "insert application",
        "INSERT INTO applications (id, organization_id, name, state, version, created_at, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    );
    UPDATE = Statement::new(
        "update application",
        "UPDATE applications SET name = $3, state = $4, version = $5, created_at = $6, body = $7
         WHERE id = $1 AND organization_id = $2 AND version + 1 = $5",
    );
    LIST = Statement::new(
        "list applications",
        "SELECT body FROM applications WHERE organization_id = $1 ORDER BY created_at, id",
    );
    GET = Statement::new(
        "read application",
        "SELECT body FROM applications WHERE organization_id = $1 AND id = $2",
    );
}

pub(crate) async fn put(executor: &mut Executor<'_>, application: &Application) -> StoreResult<()> {
    let body = to_document(NOUN, application)?;
    let state = match application.state {
        State::Active => "active",
        State::Deleted { .. } => "deleted",
    };
    Subject {
        noun: NOUN,
        id: application.id.as_str(),
        name: &application.name,
    }
    .put(
        executor,
        application.version,
        &INSERT,
        &UPDATE,
        args![
            application.id.as_str(),
            application.organization_id.as_str(),
            &application.name,
            state,
            application.version,
            application.created_at,
            &body,
        ],
    )
    .await
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
) -> StoreResult<Vec<Application>> {
    executor
        .documents(NOUN, &LIST, args![organization.as_str()])
        .await
}

pub(crate) async fn get(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    id: &ApplicationId,
) -> StoreResult<Option<Application>> {
    executor
        .document(NOUN, &GET, args![organization.as_str(), id.as_str()])
        .await
}
