use crate::{
    error::corrupt,
    executor::{Executor, Row, args},
    statement::{Statement, statements},
    versioned::to_document,
};
use landfall_model::{
    Timestamp,
    graph::Address,
    journal::{Event, EventKind, Stream},
    store::StoreResult,
};

const NOUN: &str = "journal event";

statements! {
    /// Numbers the next event and keeps the stream locked until the end of the
    /// transaction: the number is taken back if that fails, so there are no
    /// gaps, and an append costs the same however long the journal is.
    NEXT = Statement::new(
        "number journal event",
        "INSERT INTO streams (stream, last_seq) VALUES ($1, 1)
         ON CONFLICT (stream) DO UPDATE SET last_seq = streams.last_seq + 1
         RETURNING last_seq",
    );
    APPEND = Statement::new(
        "append journal event",
        "INSERT INTO events (stream, seq, at, address, body) VALUES ($1, $2, $3, $4, $5)",
    );
    LIST = Statement::new(
        "list journal events",
        "SELECT seq, at, address, body FROM events WHERE stream = $1 AND seq > $2
         ORDER BY seq LIMIT $3",
    );
}

pub(crate) async fn append(
    executor: &mut Executor<'_>,
    stream: &Stream,
    at: Timestamp,
    address: Option<&Address>,
    kind: &EventKind,
) -> StoreResult<()> {
    let body = to_document(NOUN, kind)?;
    let numbered = executor.row(&NEXT, args![stream.as_str()]).await?;
    let seq = numbered
        .ok_or_else(|| corrupt(NOUN)("the stream has no number"))?
        .integer(NOUN, 0)?;
    executor
        .execute(
            &APPEND,
            args![
                stream.as_str(),
                seq,
                at,
                address.map(Address::as_str),
                &body
            ],
        )
        .await?;
    Ok(())
}

pub(crate) async fn list(
    executor: &mut Executor<'_>,
    stream: &Stream,
    after: u64,
    limit: u32,
) -> StoreResult<Vec<Event>> {
    executor
        .rows(&LIST, args![stream.as_str(), after, limit])
        .await?
        .iter()
        .map(|row| read(stream, row))
        .collect()
}

fn read(stream: &Stream, row: &Row) -> StoreResult<Event> {
    Ok(Event {
        stream: stream.clone(),
        seq: row.number(NOUN, 0)?,
        at: row.timestamp(NOUN, 1)?,
        address: row.maybe_text(NOUN, 2)?.map(Address::new),
        kind: row.document(NOUN, 3)?,
    })
}
