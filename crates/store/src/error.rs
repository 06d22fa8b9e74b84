//! What the engines' errors mean to a caller.

use landfall_model::store::StoreError;
use sqlx::error::ErrorKind;

type Source = Box<dyn std::error::Error + Send + Sync>;

pub(crate) fn database<E: Into<Source>>(operation: &'static str) -> impl FnOnce(E) -> StoreError {
    move |source| StoreError::Database {
        operation,
        source: source.into(),
    }
}

pub(crate) fn corrupt<E: Into<Source>>(noun: &'static str) -> impl FnOnce(E) -> StoreError {
    move |source| StoreError::Corrupt {
        noun,
        source: source.into(),
    }
}

/// What a unique index refused, in the engine's words: PostgreSQL names the
/// index, SQLite the columns. Ours are named `<table>_<last column>`, so that
/// both end in that column.
pub(crate) struct Duplicate(String);

impl Duplicate {
    pub(crate) fn of(error: &sqlx::Error) -> Option<Self> {
        let error = error.as_database_error()?;
        if error.kind() != ErrorKind::UniqueViolation {
            return None;
        }
        let what = error.constraint().unwrap_or_else(|| error.message());
        Some(Self(what.to_owned()))
    }

    /// Whether the last column of the violated index is `column`.
    pub(crate) fn is_of(&self, column: &str) -> bool {
        self.0
            .strip_suffix(column)
            .is_some_and(|rest| rest.ends_with(['_', '.']))
    }
}

/// Whether PostgreSQL gave up a transaction only because of another one, so
/// that the same transaction may be tried again: a deadlock, or (where an
/// administrator asks for a stricter isolation) a serialization failure.
pub(crate) fn is_transient(error: &StoreError) -> bool {
    let StoreError::Database { source, .. } = error else {
        return false;
    };
    source
        .downcast_ref::<sqlx::Error>()
        .and_then(|error| error.as_database_error()?.code())
        .is_some_and(|code| matches!(code.as_ref(), "40001" | "40P01"))
}
