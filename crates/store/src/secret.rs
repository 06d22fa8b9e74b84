use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{
    id::{OrganizationId, SecretId},
    secret::Secret,
    store::StoreResult,
};

const NOUN: &str = "secret";

statements! {
    INSERT = Statement::new(
        "insert secret",
        "INSERT INTO secrets
         (id, organization_id, connection_id, key_version, version, created_at, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    );
    UPDATE = Statement::new(
        "update secret",
        "UPDATE secrets SET connection_id = $3, key_version = $4, version = $5, created_at = $6,
           body = $7
         WHERE id = $1 AND organization_id = $2 AND version + 1 = $5",
    );
    DELETE = Statement::new(
        "delete secret",
        "DELETE FROM secrets WHERE organization_id = $1 AND id = $2",
    );
    LIST = Statement::new(
        "list secrets",
        "SELECT body FROM secrets WHERE organization_id = $1 ORDER BY id",
    );
    GET = Statement::new(
        "read secret",
        "SELECT body FROM secrets WHERE organization_id = $1 AND id = $2",
    );
    UNDER = Statement::new(
        "list secrets under an older key",
        "SELECT body FROM secrets WHERE key_version < $1 AND id > $2 ORDER BY id LIMIT $3",
    );
    /// Over all organizations: for the operator, who asks seldom.
    COUNTS = Statement::new(
        "count secrets by key",
        "SELECT key_version, COUNT(*) FROM secrets GROUP BY key_version ORDER BY key_version",
    );
}

pub(crate) async fn put(executor: &mut Executor<'_>, secret: &Secret) -> StoreResult<()> {
    let body = to_document(NOUN, secret)?;
    Subject {
        noun: NOUN,
        id: secret.id.as_str(),
        name: "",
    }
    .put(
        executor,
        secret.version,
        &INSERT,
        &UPDATE,
        args![
            secret.id.as_str(),
            secret.organization_id.as_str(),
            secret.connection_id.as_ref().map(|id| id.as_str()),
            secret.sealed.key_version(),
            secret.version,
            secret.created_at,
            &body,
        ],
    )
    .await
}

/// Deleting what is not there is no error: whoever goes on after a crash
/// repeats it.
pub(crate) async fn delete(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    id: &SecretId,
) -> StoreResult<()> {
    executor
        .execute(&DELETE, args![organization.as_str(), id.as_str()])
        .await?;
    Ok(())
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
) -> StoreResult<Vec<Secret>> {
    executor
        .documents(NOUN, &LIST, args![organization.as_str()])
        .await
}

pub(crate) async fn get(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    id: &SecretId,
) -> StoreResult<Option<Secret>> {
    executor
        .document(NOUN, &GET, args![organization.as_str(), id.as_str()])
        .await
}

pub(crate) async fn under(
    executor: &mut Executor<'_>,
    key_version: u32,
    after: Option<&SecretId>,
    limit: u32,
) -> StoreResult<Vec<Secret>> {
    let after = after.map_or("", |id| id.as_str());
    executor
        .documents(NOUN, &UNDER, args![key_version, after, limit])
        .await
}

pub(crate) async fn counts(executor: &mut Executor<'_>) -> StoreResult<Vec<(u32, u64)>> {
    executor
        .rows(&COUNTS, args![])
        .await?
        .iter()
        .map(|row| Ok((row.number(NOUN, 0)?, row.number(NOUN, 1)?)))
        .collect()
}
