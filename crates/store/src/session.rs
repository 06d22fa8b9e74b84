use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{digest::Digest, id::SessionId, session::Session, store::StoreResult};

const NOUN: &str = "session";

statements! {
    INSERT = Statement::new(
        "insert session",
        "INSERT INTO sessions (id, organization_id, token_id, secret_hash, expires_at, body)
         VALUES ($1, $2, $3, $4, $5, $6)",
    );
    DELETE_EXPIRED = Statement::new(
        "delete expired sessions",
        "DELETE FROM sessions WHERE organization_id = $1 AND expires_at <= $2",
    );
    DELETE = Statement::new("delete session", "DELETE FROM sessions WHERE id = $1");
    BY_SECRET = Statement::new(
        "find session",
        "SELECT body FROM sessions WHERE secret_hash = $1",
    );
}

/// Also removes the organization's sessions that had ended when this one began:
/// whoever signs in cleans up.
pub(crate) async fn insert(
    executor: &mut Executor<'_>,
    session: &Session,
    secret_hash: &Digest,
) -> StoreResult<()> {
    let body = to_document(NOUN, session)?;
    executor
        .execute(
            &DELETE_EXPIRED,
            args![session.organization_id.as_str(), session.created_at],
        )
        .await?;
    Subject {
        noun: NOUN,
        id: session.id.as_str(),
        name: "",
    }
    .insert(
        executor,
        &INSERT,
        args![
            session.id.as_str(),
            session.organization_id.as_str(),
            session.token_id.as_str(),
            secret_hash.as_str(),
            session.expires_at,
            &body,
        ],
    )
    .await
}

pub(crate) async fn delete(executor: &mut Executor<'_>, id: &SessionId) -> StoreResult<()> {
    executor.execute(&DELETE, args![id.as_str()]).await?;
    Ok(())
}

pub(crate) async fn by_secret(
    executor: &mut Executor<'_>,
    secret_hash: &Digest,
) -> StoreResult<Option<Session>> {
    executor
        .document(NOUN, &BY_SECRET, args![secret_hash.as_str()])
        .await
}
