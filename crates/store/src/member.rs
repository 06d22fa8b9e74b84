use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{
    id::{MemberId, OrganizationId},
    member::Member,
    store::StoreResult,
};

const NOUN: &str = "member";

statements! {
    INSERT = Statement::new(
        "insert member",
        "INSERT INTO members (id, organization_id, version, created_at, body)
         VALUES ($1, $2, $3, $4, $5)",
    );
    UPDATE = Statement::new(
        "update member",
        "UPDATE members SET version = $3, created_at = $4, body = $5
         WHERE id = $1 AND organization_id = $2 AND version + 1 = $3",
    );
    LIST = Statement::new(
        "list members",
        "SELECT body FROM members WHERE organization_id = $1 ORDER BY created_at, id",
    );
    GET = Statement::new(
        "read member",
        "SELECT body FROM members WHERE organization_id = $1 AND id = $2",
    );
}

pub(crate) async fn put(executor: &mut Executor<'_>, member: &Member) -> StoreResult<()> {
    let body = to_document(NOUN, member)?;
    Subject {
        noun: NOUN,
        id: member.id.as_str(),
        name: &member.name,
    }
    .put(
        executor,
        member.version,
        &INSERT,
        &UPDATE,
        args![
            member.id.as_str(),
            member.organization_id.as_str(),
            member.version,
            member.created_at,
            &body,
        ],
    )
    .await
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
) -> StoreResult<Vec<Member>> {
    executor
        .documents(NOUN, &LIST, args![organization.as_str()])
        .await
}

pub(crate) async fn get(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    id: &MemberId,
) -> StoreResult<Option<Member>> {
    executor
        .document(NOUN, &GET, args![organization.as_str(), id.as_str()])
        .await
}
