//! A batch of writes as one transaction.

use crate::{
    application, audit, check, connection, environment,
    error::{database, is_transient},
    executor::{Executor, args},
    idempotency, journal, member, organization, plan, resource, retained, rollout, secret, session,
    signing_key,
    sql::Engine,
    statement::{Statement, statements},
    token, work,
};
use landfall_model::{
    Timestamp,
    store::{StoreResult, Write},
};
use std::time::Duration;

/// Deadlocks are rare (see [`audit::append`] for how the common one is avoided)
/// and one of those involved always goes on, so few attempts suffice.
const ATTEMPTS: u32 = 6;

const OPERATION: &str = "commit";

statements! {
    /// Repeated transactions run one after another, so that they meet only
    /// first attempts, of which there are ever fewer.
    ONE_AT_A_TIME = Statement::each(
        "wait for other repeated transactions",
        "SELECT 1",
        "SELECT pg_advisory_xact_lock(7810487322604117601)",
    );
}

/// All of `writes` or none. `now` decides which idempotency keys have expired.
pub(crate) async fn commit(engine: &Engine, writes: &[Write], now: Timestamp) -> StoreResult<()> {
    let mut attempt = 1;
    loop {
        match once(engine, writes, now, attempt > 1).await {
            Err(error) if attempt < ATTEMPTS && is_transient(&error) => {
                tracing::debug!(attempt, %error, "trying the transaction again");
                // The other one needs time to finish, or the same two meet
                // again. Not on the model's clock: it is the database's other
                // client that must get on, whatever time a test pretends.
                tokio::time::sleep(Duration::from_millis(5 << (2 * attempt))).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// A transaction that is dropped rolls back: that is the way out of every `?`
/// and of a caller that goes away.
async fn once(
    engine: &Engine,
    writes: &[Write],
    now: Timestamp,
    repeated: bool,
) -> StoreResult<()> {
    match engine {
        Engine::Sqlite(sqlite) => {
            // Without IMMEDIATE a transaction that has read cannot become a
            // writer after another process has written.
            let mut transaction = sqlite
                .writer
                .begin_with("BEGIN IMMEDIATE")
                .await
                .map_err(database(OPERATION))?;
            apply_all(&mut Executor::Sqlite(&mut transaction), writes, now).await?;
            transaction.commit().await.map_err(database(OPERATION))
        }
        Engine::Postgres(pool) => {
            // Said out loud, for an administrator may have set another default
            // and the audit chain's two reads need two snapshots.
            let mut transaction = pool
                .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
                .await
                .map_err(database(OPERATION))?;
            let mut executor = Executor::Postgres(&mut transaction);
            if repeated {
                executor.execute(&ONE_AT_A_TIME, args![]).await?;
            }
            apply_all(&mut executor, writes, now).await?;
            transaction.commit().await.map_err(database(OPERATION))
        }
    }
}

async fn apply_all(
    executor: &mut Executor<'_>,
    writes: &[Write],
    now: Timestamp,
) -> StoreResult<()> {
    for write in writes {
        apply(executor, write, now).await?;
    }
    let entries = writes.iter().filter_map(|write| match write {
        Write::Audit(entry) => Some(entry),
        _ => None,
    });
    audit::append(executor, entries).await
}

async fn apply(executor: &mut Executor<'_>, write: &Write, now: Timestamp) -> StoreResult<()> {
    match write {
        Write::InsertOrganization(new) => organization::insert(executor, new).await,
        Write::PutMember(member) => member::put(executor, member).await,
        Write::InsertToken { token, secret_hash } => {
            token::insert(executor, token, secret_hash).await
        }
        Write::RevokeToken {
            organization_id,
            id,
            at,
        } => token::revoke(executor, organization_id, id, *at).await,
        Write::InsertSession {
            session,
            secret_hash,
        } => session::insert(executor, session, secret_hash).await,
        Write::DeleteSession { id } => session::delete(executor, id).await,
        Write::PutSecret(one) => secret::put(executor, one).await,
        Write::DeleteSecret {
            organization_id,
            id,
        } => secret::delete(executor, organization_id, id).await,
        Write::PutSigningKey(key) => signing_key::put(executor, key).await,
        Write::PutConnection(connection) => connection::put(executor, connection).await,
        Write::InsertCheckRun(run) => check::insert(executor, run).await,
        Write::PutApplication(application) => application::put(executor, application).await,
        Write::PutEnvironment(environment) => environment::put(executor, environment).await,
        Write::PutPlan(plan) => plan::put(executor, plan).await,
        Write::PutRollout(rollout) => rollout::put(executor, rollout).await,
        Write::PutRetained(retained) => retained::put(executor, retained).await,
        Write::PutResource(resource) => resource::put(executor, resource).await,
        Write::DeleteResource {
            environment_id,
            address,
        } => resource::delete(executor, environment_id, address).await,
        Write::Append {
            stream,
            at,
            address,
            kind,
        } => journal::append(executor, stream, *at, address.as_ref(), kind).await,
        // At the end of the transaction: see `audit::append`.
        Write::Audit(_) => Ok(()),
        Write::Enqueue(new) => work::enqueue(executor, new).await,
        Write::Guard { lease, now } => work::guard(executor, lease, *now).await,
        Write::CompleteWork { lease } => work::complete(executor, lease).await,
        Write::PostponeWork { lease, run_at } => work::postpone(executor, lease, *run_at).await,
        Write::InsertIdempotency(answer) => idempotency::insert(executor, answer, now).await,
    }
}
