//! A connection to either engine, inside or outside a transaction.
//!
//! The nouns' SQL runs through this one type, so it is written once. All
//! columns are text or 64-bit integers, which keeps the surface small.

use crate::{
    error::{corrupt, database},
    statement::Statement,
};
use landfall_model::store::StoreResult;
use serde::de::DeserializeOwned;
use sqlx::{
    Database, Encode, PgConnection, Row as _, SqlStr, SqliteConnection, Type, postgres::PgRow,
    query::Query, sqlite::SqliteRow,
};

pub(crate) enum Executor<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// A parameter of a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg<'a> {
    Text(&'a str),
    MaybeText(Option<&'a str>),
    Integer(i64),
    MaybeInteger(Option<i64>),
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Arg<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Arg<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::MaybeText(text)
    }
}

impl From<i64> for Arg<'_> {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

impl From<Option<i64>> for Arg<'_> {
    fn from(integer: Option<i64>) -> Self {
        Self::MaybeInteger(integer)
    }
}

impl From<u32> for Arg<'_> {
    fn from(integer: u32) -> Self {
        Self::Integer(i64::from(integer))
    }
}

impl From<u64> for Arg<'_> {
    /// No counter comes near 2^63; a number that does matches no row.
    fn from(integer: u64) -> Self {
        Self::Integer(i64::try_from(integer).unwrap_or(i64::MAX))
    }
}

impl From<landfall_model::Timestamp> for Arg<'_> {
    fn from(at: landfall_model::Timestamp) -> Self {
        Self::Integer(at.as_millis())
    }
}

/// `args![a, b]`: parameters from anything that can be one.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { &[$($crate::executor::Arg::from($arg)),*] };
}
pub(crate) use args;

fn bind<'q, DB>(sql: &'static str, args: &[Arg<'_>]) -> Query<'q, DB, DB::Arguments>
where
    DB: Database,
    for<'t> &'t str: Encode<'t, DB> + Type<DB>,
    for<'t> Option<&'t str>: Encode<'t, DB> + Type<DB>,
    for<'t> i64: Encode<'t, DB> + Type<DB>,
    for<'t> Option<i64>: Encode<'t, DB> + Type<DB>,
{
    args.iter().fold(sqlx::query(sql), |query, arg| match *arg {
        Arg::Text(text) => query.bind(text),
        Arg::MaybeText(text) => query.bind(text),
        Arg::Integer(integer) => query.bind(integer),
        Arg::MaybeInteger(integer) => query.bind(integer),
    })
}

impl Executor<'_> {
    /// Runs a statement and says how many rows it changed; its refusal is for
    /// the caller to read.
    pub(crate) async fn try_execute(
        &mut self,
        statement: &Statement,
        args: &[Arg<'_>],
    ) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(connection) => bind(statement.sqlite, args)
                .execute(&mut **connection)
                .await?
                .rows_affected(),
            Self::Postgres(connection) => bind(statement.postgres, args)
                .execute(&mut **connection)
                .await?
                .rows_affected(),
        })
    }

    /// Runs a statement and says how many rows it changed.
    pub(crate) async fn execute(
        &mut self,
        statement: &Statement,
        args: &[Arg<'_>],
    ) -> StoreResult<u64> {
        self.try_execute(statement, args)
            .await
            .map_err(database(statement.operation))
    }

    /// All rows that a statement returns. Always reads to the end: a SQLite
    /// statement that writes and returns has written only then.
    pub(crate) async fn rows(
        &mut self,
        statement: &Statement,
        args: &[Arg<'_>],
    ) -> StoreResult<Vec<Row>> {
        match self {
            Self::Sqlite(connection) => bind(statement.sqlite, args)
                .fetch_all(&mut **connection)
                .await
                .map(|rows| rows.into_iter().map(Row::Sqlite).collect()),
            Self::Postgres(connection) => bind(statement.postgres, args)
                .fetch_all(&mut **connection)
                .await
                .map(|rows| rows.into_iter().map(Row::Postgres).collect()),
        }
        .map_err(database(statement.operation))
    }

    /// The only row, or none.
    pub(crate) async fn row(
        &mut self,
        statement: &Statement,
        args: &[Arg<'_>],
    ) -> StoreResult<Option<Row>> {
        Ok(self.rows(statement, args).await?.pop())
    }

    /// The documents in the first column of all rows.
    pub(crate) async fn documents<T: DeserializeOwned>(
        &mut self,
        noun: &'static str,
        statement: &Statement,
        args: &[Arg<'_>],
    ) -> StoreResult<Vec<T>> {
        self.rows(statement, args)
            .await?
            .iter()
            .map(|row| row.document(noun, 0))
            .collect()
    }

    /// The document in the first column of the only row, or none.
    pub(crate) async fn document<T: DeserializeOwned>(
        &mut self,
        noun: &'static str,
        statement: &Statement,
        args: &[Arg<'_>],
    ) -> StoreResult<Option<T>> {
        self.row(statement, args)
            .await?
            .map(|row| row.document(noun, 0))
            .transpose()
    }

    /// Has the database parse and plan a statement without running it.
    pub(crate) async fn prepare(&mut self, statement: &Statement) -> StoreResult<()> {
        use sqlx::Executor as _;
        match self {
            Self::Sqlite(connection) => connection
                .prepare(SqlStr::from_static(statement.sqlite))
                .await
                .map(drop),
            Self::Postgres(connection) => connection
                .prepare(SqlStr::from_static(statement.postgres))
                .await
                .map(drop),
        }
        .map_err(database(statement.operation))
    }
}

pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(crate) fn text(&self, noun: &'static str, index: usize) -> StoreResult<String> {
        match self {
            Self::Sqlite(row) => row.try_get(index),
            Self::Postgres(row) => row.try_get(index),
        }
        .map_err(corrupt(noun))
    }

    pub(crate) fn maybe_text(
        &self,
        noun: &'static str,
        index: usize,
    ) -> StoreResult<Option<String>> {
        match self {
            Self::Sqlite(row) => row.try_get(index),
            Self::Postgres(row) => row.try_get(index),
        }
        .map_err(corrupt(noun))
    }

    pub(crate) fn maybe_integer(
        &self,
        noun: &'static str,
        index: usize,
    ) -> StoreResult<Option<i64>> {
        match self {
            Self::Sqlite(row) => row.try_get(index),
            Self::Postgres(row) => row.try_get(index),
        }
        .map_err(corrupt(noun))
    }

    pub(crate) fn integer(&self, noun: &'static str, index: usize) -> StoreResult<i64> {
        match self {
            Self::Sqlite(row) => row.try_get(index),
            Self::Postgres(row) => row.try_get(index),
        }
        .map_err(corrupt(noun))
    }

    /// An integer of a smaller or unsigned type.
    pub(crate) fn number<T>(&self, noun: &'static str, index: usize) -> StoreResult<T>
    where
        T: TryFrom<i64>,
        T::Error: std::error::Error + Send + Sync + 'static,
    {
        T::try_from(self.integer(noun, index)?).map_err(corrupt(noun))
    }

    pub(crate) fn timestamp(
        &self,
        noun: &'static str,
        index: usize,
    ) -> StoreResult<landfall_model::Timestamp> {
        self.integer(noun, index)
            .map(landfall_model::Timestamp::from_millis)
    }

    pub(crate) fn document<T: DeserializeOwned>(
        &self,
        noun: &'static str,
        index: usize,
    ) -> StoreResult<T> {
        serde_json::from_str(&self.text(noun, index)?).map_err(corrupt(noun))
    }
}
