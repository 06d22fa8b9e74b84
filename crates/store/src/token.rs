use crate::{
    executor::{Executor, Row, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{
    Timestamp,
    digest::Digest,
    id::{OrganizationId, TokenId},
    store::{StoreError, StoreResult},
    token::Token,
};

const NOUN: &str = "token";

statements! {
    INSERT = Statement::new(
        "insert token",
        "INSERT INTO tokens (id, organization_id, member_id, secret_hash, revoked_at, created_at, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    );
    /// The first revocation's time stays.
    REVOKE = Statement::new(
        "revoke token",
        "UPDATE tokens SET revoked_at = COALESCE(revoked_at, $3)
         WHERE organization_id = $1 AND id = $2",
    );
    LIST = Statement::new(
        "list tokens",
        "SELECT body, revoked_at FROM tokens WHERE organization_id = $1 ORDER BY created_at, id",
    );
    GET = Statement::new(
        "read token",
        "SELECT body, revoked_at FROM tokens WHERE organization_id = $1 AND id = $2",
    );
    BY_SECRET = Statement::new(
        "find token",
        "SELECT body, revoked_at FROM tokens WHERE secret_hash = $1",
    );
}

pub(crate) async fn insert(
    executor: &mut Executor<'_>,
    token: &Token,
    secret_hash: &Digest,
) -> StoreResult<()> {
    let body = to_document(NOUN, token)?;
    Subject {
        noun: NOUN,
        id: token.id.as_str(),
        name: &token.name,
    }
    .insert(
        executor,
        &INSERT,
        args![
            token.id.as_str(),
            token.organization_id.as_str(),
            token.member_id.as_str(),
            secret_hash.as_str(),
            token.revoked_at.map(Timestamp::as_millis),
            token.created_at,
            &body,
        ],
    )
    .await
}

/// Refuses a token that the organization does not have: a revocation that
/// silently does nothing would leave a stolen token valid.
pub(crate) async fn revoke(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    id: &TokenId,
    at: Timestamp,
) -> StoreResult<()> {
    let changed = executor
        .execute(&REVOKE, args![organization.as_str(), id.as_str(), at])
        .await?;
    if changed == 0 {
        return Err(StoreError::Conflict {
            noun: NOUN,
            id: id.as_str().to_owned(),
        });
    }
    Ok(())
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
) -> StoreResult<Vec<Token>> {
    executor
        .rows(&LIST, args![organization.as_str()])
        .await?
        .iter()
        .map(read)
        .collect()
}

pub(crate) async fn get(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    id: &TokenId,
) -> StoreResult<Option<Token>> {
    executor
        .row(&GET, args![organization.as_str(), id.as_str()])
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

pub(crate) async fn by_secret(
    executor: &mut Executor<'_>,
    secret_hash: &Digest,
) -> StoreResult<Option<Token>> {
    executor
        .row(&BY_SECRET, args![secret_hash.as_str()])
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

fn read(row: &Row) -> StoreResult<Token> {
    let mut token: Token = row.document(NOUN, 0)?;
    token.revoked_at = row.maybe_integer(NOUN, 1)?.map(Timestamp::from_millis);
    Ok(token)
}
