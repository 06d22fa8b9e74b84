//! Repeating a request without repeating what it does.
//!
//! Rows are only ever inserted, and of two inserts of one key the second is
//! refused. Three kinds of rows make a protocol that also holds between
//! replicas and across a crash:
//!
//! - `<key>`: the answer. Once it is there, every repetition gets it.
//! - `<key>#<n>`: the n-th execution has begun. Whoever inserts it executes.
//! - `<key>#<n>!`: the n-th execution ended without an answer worth keeping (the
//!   server's own trouble), so the next may begin.
//!
//! If we die while executing, `<key>#<n>` runs out after [`CLAIM`], and the
//! repetition executes again: then what the first one did is found by what is
//! unique about it (a name, an account, a plan's state).

use crate::{Actor, App, failed};
use landfall_model::{
    Code, Error,
    digest::Digest,
    error::Result,
    store::{Idempotency, StoreError, Write},
};

/// Longer than any request may take.
const CLAIM: i64 = 5 * 60 * 1000;
/// How long an answer is kept.
const KEPT: i64 = 24 * 3600 * 1000;
const LONGEST_KEY: usize = 128;
const MOST_EXECUTIONS: u32 = 20;

#[derive(Debug)]
pub enum Begin {
    /// Execute, then [`finish`].
    Fresh(Claim),
    /// It was answered: say the same again.
    Answered { status: u16, body: String },
}

#[derive(Debug)]
pub struct Claim {
    key: String,
    execution: u32,
    request: Digest,
}

/// `request` is a digest of everything that makes it this request: method,
/// path, member and body.
pub async fn begin(app: &App, actor: &Actor, key: &str, request: Digest) -> Result<Begin> {
    let valid = (1..=LONGEST_KEY).contains(&key.len())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'));
    if !valid {
        return Err(Error::new(
            Code::RequestMalformed,
            "the Idempotency-Key cannot be used",
            "use 1 to 128 letters, digits, '-', '_', '.' or ':'; a UUID is best",
        ));
    }
    for execution in 1..=MOST_EXECUTIONS {
        if let Some(answer) = find(app, actor, key).await? {
            return replay(answer, &request);
        }
        let claim = Claim {
            key: key.to_owned(),
            execution,
            request: request.clone(),
        };
        match insert(app, actor, &claim, claim.row(), 0, String::new(), CLAIM).await {
            Ok(()) => return Ok(Begin::Fresh(claim)),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(failed("claiming the idempotency key")(error)),
        }
        // The claim's digest first: another request with this key is told so at
        // once, not when the first has ended.
        if let Some(begun) = find(app, actor, &claim.row()).await?
            && begun.request != request
        {
            return Err(reused());
        }
        if find(app, actor, &claim.released()).await?.is_none() {
            break;
        }
    }
    // It may have been answered between the look and the claim.
    match find(app, actor, key).await? {
        Some(answer) => replay(answer, &request),
        None => Err(Error::new(
            Code::IdempotencyKeyBusy,
            "the first request with this Idempotency-Key is still running",
            "wait a few seconds, then repeat the request with the same key",
        )),
    }
}

/// Keeps the answer; the server's own trouble is not kept, so that a
/// repetition tries again.
pub async fn finish(
    app: &App,
    actor: &Actor,
    claim: Claim,
    status: u16,
    body: String,
) -> Result<()> {
    let (row, lifetime) = if status < 500 && status != 429 {
        (claim.key.clone(), KEPT)
    } else {
        (claim.released(), CLAIM)
    };
    match insert(app, actor, &claim, row, status, body, lifetime).await {
        // Only when the claim ran out and another execution was faster.
        Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(failed("storing the answer")(error)),
    }
}

impl Claim {
    fn row(&self) -> String {
        format!("{}#{}", self.key, self.execution)
    }

    fn released(&self) -> String {
        format!("{}#{}!", self.key, self.execution)
    }
}

fn replay(answer: Idempotency, request: &Digest) -> Result<Begin> {
    if &answer.request != request {
        return Err(reused());
    }
    Ok(Begin::Answered {
        status: answer.status,
        body: answer.body,
    })
}

fn reused() -> Error {
    Error::new(
        Code::IdempotencyKeyReused,
        "the Idempotency-Key was used for another request",
        "use a new key for a new request",
    )
}

async fn find(app: &App, actor: &Actor, row: &str) -> Result<Option<Idempotency>> {
    app.store
        .idempotency(actor.organization_id(), row, app.now())
        .await
        .map_err(failed("looking up the idempotency key"))
}

async fn insert(
    app: &App,
    actor: &Actor,
    claim: &Claim,
    row: String,
    status: u16,
    body: String,
    lifetime: i64,
) -> Result<(), StoreError> {
    let row = Idempotency {
        organization_id: actor.organization_id().clone(),
        key: row,
        request: claim.request.clone(),
        status,
        body,
        expires_at: app.now().plus_millis(lifetime),
    };
    app.store.commit(vec![Write::InsertIdempotency(row)]).await
}
