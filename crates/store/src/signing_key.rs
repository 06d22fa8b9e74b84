use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{signing_key::SigningKey, store::StoreResult, vault::Sealed};

const NOUN: &str = "signing key";

statements! {
    INSERT = Statement::new(
        "insert signing key",
        "INSERT INTO signing_keys (id, state, key_version, version, created_at, body)
         VALUES ($1, $2, $3, $4, $5, $6)",
    );
    UPDATE = Statement::new(
        "update signing key",
        "UPDATE signing_keys SET state = $2, key_version = $3, version = $4, created_at = $5, body = $6
         WHERE id = $1 AND version + 1 = $4",
    );
    /// Retired ones too: one row for each rotation there ever was.
    LIST = Statement::new(
        "list signing keys",
        "SELECT body FROM signing_keys ORDER BY created_at, id",
    );
}

pub(crate) async fn put(executor: &mut Executor<'_>, key: &SigningKey) -> StoreResult<()> {
    let body = to_document(NOUN, key)?;
    let key_version = key.state.private().map(Sealed::key_version);
    Subject {
        noun: NOUN,
        id: &key.id,
        name: "",
    }
    .put(
        executor,
        key.version,
        &INSERT,
        &UPDATE,
        args![
            &key.id,
            key.state.as_str(),
            key_version.map(i64::from),
            key.version,
            key.created_at,
            &body,
        ],
    )
    .await
}

pub(crate) async fn list(executor: &mut Executor<'_>) -> StoreResult<Vec<SigningKey>> {
    executor.documents(NOUN, &LIST, args![]).await
}
