use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{
    id::{OrganizationId, RetainedId},
    retained::Retained,
    store::StoreResult,
};

const NOUN: &str = "retained resource";

statements! {
    INSERT = Statement::new(
        "insert retained resource",
        "INSERT INTO retained
         (id, organization_id, connection_id, environment_id, state, version, since, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    UPDATE = Statement::new(
        "update retained resource",
        "UPDATE retained SET state = $5, version = $6, since = $7, body = $8
         WHERE id = $1 AND organization_id = $2 AND connection_id = $3 AND environment_id = $4
           AND version + 1 = $6",
    );
    LIST = Statement::new(
        "list retained resources",
        "SELECT body FROM retained WHERE organization_id = $1 ORDER BY since DESC, id DESC",
    );
    GET = Statement::new(
        "read retained resource",
        "SELECT body FROM retained WHERE organization_id = $1 AND id = $2",
    );
}

pub(crate) async fn put(executor: &mut Executor<'_>, retained: &Retained) -> StoreResult<()> {
    let body = to_document(NOUN, retained)?;
    Subject {
        noun: NOUN,
        id: retained.id.as_str(),
        name: "",
    }
    .put(
        executor,
        retained.version,
        &INSERT,
        &UPDATE,
        args![
            retained.id.as_str(),
            retained.organization_id.as_str(),
            retained.connection_id.as_str(),
            retained.environment_id.as_str(),
            retained.state.as_str(),
            retained.version,
            retained.since,
            &body,
        ],
    )
    .await
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
) -> StoreResult<Vec<Retained>> {
    executor
        .documents(NOUN, &LIST, args![organization.as_str()])
        .await
}

pub(crate) async fn get(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    id: &RetainedId,
) -> StoreResult<Option<Retained>> {
    executor
        .document(NOUN, &GET, args![organization.as_str(), id.as_str()])
        .await
}
