use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{
    connection::Connection,
    id::{ConnectionId, OrganizationId},
    store::StoreResult,
};

const NOUN: &str = "connection";

statements! {
    INSERT = Statement::new(
        "insert connection",
        "INSERT INTO connections (id, organization_id, name, external_id, state, version, created_at, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    /// The external id never changes, so it is a condition and not a value.
    UPDATE = Statement::new(
        "update connection",
        "UPDATE connections SET name = $3, state = $5, version = $6, created_at = $7, body = $8
         WHERE id = $1 AND organization_id = $2 AND external_id = $4 AND version + 1 = $6",
    );
    LIST = Statement::new(
        "list connections",
        "SELECT body FROM connections WHERE organization_id = $1 ORDER BY created_at, id",
    );
    GET = Statement::new(
        "read connection",
        "SELECT body FROM connections WHERE organization_id = $1 AND id = $2",
    );
}

pub(crate) async fn put(executor: &mut Executor<'_>, connection: &Connection) -> StoreResult<()> {
    let body = to_document(NOUN, connection)?;
    Subject {
        noun: NOUN,
        id: connection.id.as_str(),
        name: &connection.name,
    }
    .put(
        executor,
        connection.version,
        &INSERT,
        &UPDATE,
        args![
            connection.id.as_str(),
            connection.organization_id.as_str(),
            &connection.name,
            &connection.external_id,
            connection.state.as_str(),
            connection.version,
            connection.created_at,
            &body,
        ],
    )
    .await
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
) -> StoreResult<Vec<Connection>> {
    executor
        .documents(NOUN, &LIST, args![organization.as_str()])
        .await
}

pub(crate) async fn get(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    id: &ConnectionId,
) -> StoreResult<Option<Connection>> {
    executor
        .document(NOUN, &GET, args![organization.as_str(), id.as_str()])
        .await
}
