use crate::{
    error::corrupt,
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::to_document,
};
use landfall_model::{
    audit::{Entry, NewEntry, genesis},
    digest::Digest,
    id::OrganizationId,
    store::StoreResult,
};
use std::collections::BTreeMap;

const NOUN: &str = "audit entry";

statements! {
    /// One chain, one writer at a time. `NO KEY` leaves other transactions free
    /// to insert rows that refer to the organization.
    LOCK = Statement::each(
        "lock audit log",
        "SELECT id FROM organizations WHERE id = $1",
        "SELECT id FROM organizations WHERE id = $1 FOR NO KEY UPDATE",
    );
    /// A statement of its own after the lock: on PostgreSQL a statement sees
    /// what was committed when it began, and before the lock that may not be
    /// the end of the chain.
    LAST = Statement::new(
        "read the last audit entry",
        "SELECT seq, hash FROM audit_entries WHERE organization_id = $1
         ORDER BY seq DESC LIMIT 1",
    );
    APPEND = Statement::new(
        "append audit entry",
        "INSERT INTO audit_entries (organization_id, seq, at, hash, body)
         VALUES ($1, $2, $3, $4, $5)",
    );
    LIST = Statement::new(
        "list audit entries",
        "SELECT body FROM audit_entries WHERE organization_id = $1 AND seq > $2
         ORDER BY seq LIMIT $3",
    );
    LATEST = Statement::new(
        "list the latest audit entries",
        "SELECT body FROM audit_entries WHERE organization_id = $1
         ORDER BY seq DESC LIMIT $2",
    );
}

/// Chains `entries`, in their order, to the ends of their organizations' logs.
///
/// Called last in a transaction, so that an organization is locked for as
/// short as possible and never while waiting for another lock; and in the
/// order of organizations, so that two transactions cannot wait for each other.
pub(crate) async fn append<'a>(
    executor: &mut Executor<'_>,
    entries: impl Iterator<Item = &'a NewEntry>,
) -> StoreResult<()> {
    let mut by_organization: BTreeMap<&OrganizationId, Vec<&NewEntry>> = BTreeMap::new();
    for entry in entries {
        by_organization
            .entry(&entry.organization_id)
            .or_default()
            .push(entry);
    }
    for (organization, entries) in by_organization {
        append_to(executor, organization, entries).await?;
    }
    Ok(())
}

async fn append_to(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    entries: Vec<&NewEntry>,
) -> StoreResult<()> {
    executor.row(&LOCK, args![organization.as_str()]).await?;
    let last = executor.row(&LAST, args![organization.as_str()]).await?;
    let (mut seq, mut previous) = match last {
        Some(row) => (row.number(NOUN, 0)?, Digest::from(row.text(NOUN, 1)?)),
        None => (0_u64, genesis()),
    };
    for new in entries {
        seq = seq.saturating_add(1);
        let entry = new.clone().chained(seq, previous).map_err(corrupt(NOUN))?;
        let body = to_document(NOUN, &entry)?;
        executor
            .execute(
                &APPEND,
                args![
                    organization.as_str(),
                    entry.seq,
                    entry.at,
                    entry.hash.as_str(),
                    &body,
                ],
            )
            .await?;
        previous = entry.hash;
    }
    Ok(())
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    after: u64,
    limit: u32,
) -> StoreResult<Vec<Entry>> {
    executor
        .documents(NOUN, &LIST, args![organization.as_str(), after, limit])
        .await
}

pub(crate) async fn latest(
    executor: &mut Executor<'_>,
    organization: &OrganizationId,
    limit: u32,
) -> StoreResult<Vec<Entry>> {
    executor
        .documents(NOUN, &LATEST, args![organization.as_str(), limit])
        .await
}
