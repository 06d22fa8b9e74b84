use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{id::OrganizationId, organization::Organization, store::StoreResult};

const NOUN: &str = "organization";

statements! {
    INSERT = Statement::new(
        "insert organization",
        "INSERT INTO organizations (id, created_at, body) VALUES ($1, $2, $3)",
    );
    LIST = Statement::new(
        "list organizations",
        "SELECT body FROM organizations ORDER BY created_at, id",
    );
    GET = Statement::new("read organization", "SELECT body FROM organizations WHERE id = $1");
}

pub(crate) async fn insert(executor: &mut Executor<'_>, new: &Organization) -> StoreResult<()> {
    let body = to_document(NOUN, new)?;
    Subject {
        noun: NOUN,
        id: new.id.as_str(),
        name: &new.name,
    }
    .insert(
        executor,
        &INSERT,
        args![new.id.as_str(), new.created_at, &body],
    )
    .await
}

pub(crate) async fn list(executor: &mut Executor<'_>) -> StoreResult<Vec<Organization>> {
    executor.documents(NOUN, &LIST, args![]).await
}

pub(crate) async fn get(
    executor: &mut Executor<'_>,
    id: &OrganizationId,
) -> StoreResult<Option<Organization>> {
    executor.document(NOUN, &GET, args![id.as_str()]).await
}
