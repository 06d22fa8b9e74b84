use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
};
use landfall_model::{
    Timestamp,
    digest::Digest,
    id::OrganizationId,
    store::{Idempotency, StoreError, StoreResult},
};

const NOUN: &str = "idempotency key";

statements! {
    DELETE_EXPIRED = Statement::new(
        "delete expired idempotency keys",
        "DELETE FROM idempotency WHERE organization_id = $1 AND expires_at <= $2",
    );
    INSERT = Statement::new(
        "insert idempotency key",
        "INSERT INTO idempotency (organization_id, key, request, status, expires_at, body)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (organization_id, key) DO NOTHING",
    );
    GET = Statement::new(
        "read idempotency key",
        "SELECT request, status, expires_at, body FROM idempotency
         WHERE organization_id = $1 AND key = $2 AND expires_at > $3",
    );
}

/// Remembers an answer. Of two transactions with the same key one is refused,
/// with all that it did: so a request repeated while the first still runs
/// cannot be done twice. Expired keys of the organization go first.
pub(crate) async fn insert(
    executor: &mut Executor<'_>,
    answer: &Idempotency,
    now: Timestamp,
) -> StoreResult<()> {
    let organization = answer.organization_id.as_str();
    executor
        .execute(&DELETE_EXPIRED, args![organization, now])
        .await?;
    let inserted = executor
        .execute(
            &INSERT,
            args![
                organization,
                &answer.key,
                answer.request.as_str(),
                u32::from(answer.status),
                answer.expires_at,
                &answer.body,
            ],
        )
        .await?;
    if inserted == 0 {
        return Err(StoreError::Conflict {
            noun: NOUN,
            id: answer.key.clone(),
        });
    }
    Ok(())
}

pub(crate) async fn get(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    key: &str,
    now: Timestamp,
) -> StoreResult<Option<Idempotency>> {
    let found = executor
        .row(&GET, args![organization.as_str(), key, now])
        .await?;
    found
        .map(|row| {
            Ok(Idempotency {
                organization_id: organization.clone(),
                key: key.to_owned(),
                request: Digest::from(row.text(NOUN, 0)?),
                status: row.number(NOUN, 1)?,
                expires_at: row.timestamp(NOUN, 2)?,
                body: row.text(NOUN, 3)?,
            })
        })
        .transpose()
}
