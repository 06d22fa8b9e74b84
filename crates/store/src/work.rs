//! Durable work.
//!
//! A row is *queued* (`lease_until` is absent) or *claimed* (it is not). A
//! claim that ran out is still claimed until somebody claims it anew: its
//! `run_at` is in the past, so it is due at once. What is enqueued for a
//! claimed row cannot move `run_at`, for the claimer may have read the world
//! before: it is noted in `again_at`, and the row runs again after the claim.

use crate::{
    error::corrupt,
    executor::{Executor, args},
    statement::{Statement, statements},
    versioned::{Subject, to_document},
};
use landfall_model::{
    Timestamp,
    store::{StoreError, StoreResult},
    work::{Job, Lease, NewWork},
};

const NOUN: &str = "work item";

statements! {
    ENQUEUE = Statement::new(
        "enqueue work",
        "INSERT INTO work (id, organization_id, kind, key, run_at, epoch, attempts, body)
         VALUES ($1, $2, $3, $4, $5, 0, 0, $6)
         ON CONFLICT (key) DO UPDATE SET
           run_at = CASE
             WHEN work.lease_until IS NULL AND excluded.run_at < work.run_at THEN excluded.run_at
             ELSE work.run_at END,
           again_at = CASE
             WHEN work.lease_until IS NULL THEN work.again_at
             WHEN work.again_at IS NULL OR excluded.run_at < work.again_at THEN excluded.run_at
             ELSE work.again_at END",
    );
    /// `SKIP LOCKED`: a row that a claim or a guarded commit holds is not
    /// waited for. What was enqueued to run by now, this claim serves.
    CLAIM = Statement::each(
        "claim work",
        "UPDATE work SET
           epoch = epoch + 1,
           attempts = attempts + 1,
           lease_until = $2,
           again_at = CASE WHEN again_at > $1 THEN again_at END
         WHERE id = (
           SELECT id FROM work
           WHERE run_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
             AND instr(',' || $3 || ',', ',' || kind || ',') > 0
           ORDER BY run_at, id LIMIT 1)
         RETURNING id, organization_id, body, epoch, attempts, lease_until",
        "WITH due AS MATERIALIZED (
           SELECT id FROM work
           WHERE run_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
             AND kind = ANY (string_to_array($3, ','))
           ORDER BY run_at, id LIMIT 1
           FOR UPDATE SKIP LOCKED)
         UPDATE work SET
           epoch = epoch + 1,
           attempts = attempts + 1,
           lease_until = $2,
           again_at = CASE WHEN again_at > $1 THEN again_at END
         FROM due WHERE work.id = due.id
         RETURNING work.id, organization_id, body, epoch, attempts, lease_until",
    );
    /// Never shortens: heartbeats may arrive in another order than they left.
    HEARTBEAT = Statement::new(
        "prolong lease",
        "UPDATE work SET
           lease_until = CASE WHEN lease_until < $3 THEN $3 ELSE lease_until END
         WHERE id = $1 AND epoch = $2 AND lease_until IS NOT NULL
         RETURNING lease_until",
    );
    /// Locked to the end of the transaction: nobody can claim the row between
    /// this look and the commit that stands on it.
    GUARD = Statement::each(
        "guard lease",
        "SELECT id FROM work WHERE id = $1 AND epoch = $2 AND lease_until > $3",
        "SELECT id FROM work WHERE id = $1 AND epoch = $2 AND lease_until > $3 FOR UPDATE",
    );
    HELD = Statement::each(
        "read claimed work",
        "SELECT again_at FROM work WHERE id = $1 AND epoch = $2 AND lease_until IS NOT NULL",
        "SELECT again_at FROM work WHERE id = $1 AND epoch = $2 AND lease_until IS NOT NULL
         FOR UPDATE",
    );
    DELETE = Statement::new("complete work", "DELETE FROM work WHERE id = $1");
    REQUEUE = Statement::new(
        "requeue work",
        "UPDATE work SET run_at = $2, attempts = 0, lease_until = NULL, again_at = NULL
         WHERE id = $1",
    );
    SCHEDULED = Statement::new(
        "read scheduled work",
        "SELECT CASE WHEN lease_until IS NULL THEN run_at ELSE again_at END
         FROM work WHERE key = $1",
    );
}

pub(crate) async fn enqueue(executor: &mut Executor<'_>, new: &NewWork) -> StoreResult<()> {
    let body = to_document(NOUN, &new.job)?;
    let key = new.job.key();
    Subject {
        noun: NOUN,
        id: new.id.as_str(),
        name: "",
    }
    .insert(
        executor,
        &ENQUEUE,
        args![
            new.id.as_str(),
            new.organization_id.as_str(),
            new.job.kind(),
            &key,
            new.run_at,
            &body,
        ],
    )
    .await
}

pub(crate) async fn claim(
    executor: &mut Executor<'_>,
    kinds: &[&str],
    now: Timestamp,
    until: Timestamp,
) -> StoreResult<Option<Lease>> {
    let kinds = kinds.join(",");
    let Some(row) = executor.row(&CLAIM, args![now, until, &kinds]).await? else {
        return Ok(None);
    };
    Ok(Some(Lease {
        work_id: row.text(NOUN, 0)?.parse().map_err(corrupt(NOUN))?,
        organization_id: row.text(NOUN, 1)?.parse().map_err(corrupt(NOUN))?,
        job: row.document(NOUN, 2)?,
        epoch: row.number(NOUN, 3)?,
        attempts: row.number(NOUN, 4)?,
        until: row.timestamp(NOUN, 5)?,
    }))
}

fn fenced(lease: &Lease) -> StoreError {
    StoreError::Fenced {
        work_id: lease.work_id.clone(),
    }
}

pub(crate) async fn heartbeat(
    executor: &mut Executor<'_>,
    lease: &Lease,
    until: Timestamp,
) -> StoreResult<Lease> {
    let row = executor
        .row(
            &HEARTBEAT,
            args![lease.work_id.as_str(), lease.epoch, until],
        )
        .await?
        .ok_or_else(|| fenced(lease))?;
    Ok(Lease {
        until: row.timestamp(NOUN, 0)?,
        ..lease.clone()
    })
}

pub(crate) async fn guard(
    executor: &mut Executor<'_>,
    lease: &Lease,
    now: Timestamp,
) -> StoreResult<()> {
    executor
        .row(&GUARD, args![lease.work_id.as_str(), lease.epoch, now])
        .await?
        .map(drop)
        .ok_or_else(|| fenced(lease))
}

/// What was enqueued while the lease ran is run again, under the same row and
/// its next epoch.
pub(crate) async fn complete(executor: &mut Executor<'_>, lease: &Lease) -> StoreResult<()> {
    match held(executor, lease).await? {
        Some(again_at) => requeue(executor, lease, again_at).await,
        None => {
            executor
                .execute(&DELETE, args![lease.work_id.as_str()])
                .await?;
            Ok(())
        }
    }
}

pub(crate) async fn postpone(
    executor: &mut Executor<'_>,
    lease: &Lease,
    run_at: Timestamp,
) -> StoreResult<()> {
    let again_at = held(executor, lease).await?;
    let run_at = again_at.map_or(run_at, |again_at| again_at.min(run_at));
    requeue(executor, lease, run_at).await
}

/// Locks the row of a lease that nobody has taken over, and says when it was
/// asked to run again.
async fn held(executor: &mut Executor<'_>, lease: &Lease) -> StoreResult<Option<Timestamp>> {
    let row = executor
        .row(&HELD, args![lease.work_id.as_str(), lease.epoch])
        .await?
        .ok_or_else(|| fenced(lease))?;
    Ok(row.maybe_integer(NOUN, 0)?.map(Timestamp::from_millis))
}

async fn requeue(executor: &mut Executor<'_>, lease: &Lease, run_at: Timestamp) -> StoreResult<()> {
    executor
        .execute(&REQUEUE, args![lease.work_id.as_str(), run_at])
        .await?;
    Ok(())
}

/// When a queued job runs; for one that runs now, when it runs again, if that
/// is known.
pub(crate) async fn scheduled(
    executor: &mut Executor<'_>,
    job: &Job,
) -> StoreResult<Option<Timestamp>> {
    let key = job.key();
    let Some(row) = executor.row(&SCHEDULED, args![&key]).await? else {
        return Ok(None);
    };
    Ok(row.maybe_integer(NOUN, 0)?.map(Timestamp::from_millis))
}
