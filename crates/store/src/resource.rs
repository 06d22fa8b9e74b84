use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::to_document,
};
use landfall_model::{graph::Address, id::EnvironmentId, resource::Resource, store::StoreResult};

const NOUN: &str = "resource";

statements! {
    PUT = Statement::new(
        "write resource",
        "INSERT INTO resources (environment_id, address, updated_at, body)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (environment_id, address)
         DO UPDATE SET updated_at = excluded.updated_at, body = excluded.body",
    );
    DELETE = Statement::new(
        "delete resource",
        "DELETE FROM resources WHERE environment_id = $1 AND address = $2",
    );
    LIST = Statement::new(
        "list resources",
        "SELECT body FROM resources WHERE environment_id = $1 ORDER BY address",
    );
}

pub(crate) async fn put(executor: &mut Executor<'_>, resource: &Resource) -> StoreResult<()> {
    let body = to_document(NOUN, resource)?;
    executor
        .execute(
            &PUT,
            args![
                resource.environment_id.as_str(),
                resource.address.as_str(),
                resource.updated_at,
                &body,
            ],
        )
        .await?;
    Ok(())
}

pub(crate) async fn delete(
    executor: &mut Executor<'_>,
    environment: &EnvironmentId,
    address: &Address,
) -> StoreResult<()> {
    executor
        .execute(&DELETE, args![environment.as_str(), address.as_str()])
        .await?;
    Ok(())
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    environment: &EnvironmentId,
) -> StoreResult<Vec<Resource>> {
    executor
        .documents(NOUN, &LIST, args![environment.as_str()])
        .await
}
