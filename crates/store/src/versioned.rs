//! Nouns with a version: inserted at 1, and updated only over the version
//! before.

use crate::{
    error::{Duplicate, database},
    executor::{Arg, Executor},
    statement::Statement,
};
use landfall_model::store::{StoreError, StoreResult};
use serde::Serialize;

/// What is put, in the words of its errors.
pub(crate) struct Subject<'a> {
    pub(crate) noun: &'static str,
    pub(crate) id: &'a str,
    /// For nouns whose names are unique.
    pub(crate) name: &'a str,
}

impl Subject<'_> {
    fn conflict(&self) -> StoreError {
        StoreError::Conflict {
            noun: self.noun,
            id: self.id.to_owned(),
        }
    }

    fn refused(&self, statement: &Statement, error: sqlx::Error) -> StoreError {
        match Duplicate::of(&error) {
            Some(duplicate) if duplicate.is_of("name") => StoreError::Taken {
                noun: self.noun,
                name: self.name.to_owned(),
            },
            Some(_) => self.conflict(),
            None => database(statement.operation)(error),
        }
    }

    /// Inserts a row that must be new.
    pub(crate) async fn insert(
        &self,
        executor: &mut Executor<'_>,
        statement: &Statement,
        args: &[Arg<'_>],
    ) -> StoreResult<()> {
        executor
            .try_execute(statement, args)
            .await
            .map(drop)
            .map_err(|error| self.refused(statement, error))
    }

    /// Inserts version 1, updates the version before any other. Both statements
    /// take the same `args`; the update's own conditions name the version.
    pub(crate) async fn put(
        &self,
        executor: &mut Executor<'_>,
        version: u64,
        insert: &Statement,
        update: &Statement,
        args: &[Arg<'_>],
    ) -> StoreResult<()> {
        if version == 1 {
            return self.insert(executor, insert, args).await;
        }
        match executor.try_execute(update, args).await {
            Ok(1) => Ok(()),
            Ok(_) => Err(self.conflict()),
            Err(error) => Err(self.refused(update, error)),
        }
    }
}

/// A noun's document as it is stored.
pub(crate) fn to_document<T: Serialize>(noun: &'static str, value: &T) -> StoreResult<String> {
    // Only a map with keys that are no text fails here, and no noun has one:
    // still, an error is better than a row without its document.
    serde_json::to_string(value).map_err(crate::error::corrupt(noun))
}
