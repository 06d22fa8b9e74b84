use crate::{
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{
    check::CheckRun,
    id::{ConnectionId, OrganizationId},
    store::StoreResult,
};

const NOUN: &str = "check run";

statements! {
    INSERT = Statement::new(
        "insert check run",
        "INSERT INTO check_runs (id, organization_id, connection_id, started_at, body)
         VALUES ($1, $2, $3, $4, $5)",
    );
    LIST = Statement::new(
        "list check runs",
        "SELECT body FROM check_runs WHERE organization_id = $1 AND connection_id = $2
         ORDER BY started_at DESC, id DESC LIMIT $3",
    );
}

pub(crate) async fn insert(executor: &mut Executor<'_>, run: &CheckRun) -> StoreResult<()> {
    let body = to_document(NOUN, run)?;
    Subject {
        noun: NOUN,
        id: run.id.as_str(),
        name: "",
    }
    .insert(
        executor,
        &INSERT,
        args![
            run.id.as_str(),
            run.organization_id.as_str(),
            run.connection_id.as_str(),
            run.started_at,
            &body,
        ],
    )
    .await
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    connection: &ConnectionId,
    limit: u32,
) -> StoreResult<Vec<CheckRun>> {
    executor
        .documents(
            NOUN,
            &LIST,
            args![organization.as_str(), connection.as_str(), limit],
        )
        .await
}
