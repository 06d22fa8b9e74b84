//! SQL, written once for both engines wherever one text serves both.

/// One SQL statement with positional parameters `$1`, `$2`….
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement {
    /// For error messages: "`claim work` failed in the database".
    pub(crate) operation: &'static str,
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl Statement {
    /// The same text on both engines.
    pub(crate) const fn new(operation: &'static str, sql: &'static str) -> Self {
        Self::each(operation, sql, sql)
    }

    /// For the few that differ, nearly always in how a row is locked: SQLite
    /// has one writer at a time and needs no row locks.
    pub(crate) const fn each(
        operation: &'static str,
        sqlite: &'static str,
        postgres: &'static str,
    ) -> Self {
        Self {
            operation,
            sqlite,
            postgres,
        }
    }
}

/// Declares the statements of a noun, and `STATEMENTS`, the list of them. A
/// statement that is not in a list cannot be declared this way, and a list
/// that [`all`] leaves out is an unused constant: so a test can prepare every
/// statement there is.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $statement:expr;)*) => {
        $($(#[$doc])* const $name: $crate::statement::Statement = $statement;)*

        pub(crate) const STATEMENTS: &[$crate::statement::Statement] = &[$($name),*];
    };
}
pub(crate) use statements;

/// Every statement of this crate.
pub(crate) fn all() -> impl Iterator<Item = &'static Statement> {
    [
        crate::application::STATEMENTS,
        crate::audit::STATEMENTS,
        crate::check::STATEMENTS,
        crate::commit::STATEMENTS,
        crate::connection::STATEMENTS,
        crate::environment::STATEMENTS,
        crate::idempotency::STATEMENTS,
        crate::journal::STATEMENTS,
        crate::member::STATEMENTS,
        crate::organization::STATEMENTS,
        crate::plan::STATEMENTS,
        crate::resource::STATEMENTS,
        crate::retained::STATEMENTS,
        crate::rollout::STATEMENTS,
        crate::secret::STATEMENTS,
        crate::session::STATEMENTS,
        crate::signing_key::STATEMENTS,
        crate::token::STATEMENTS,
        crate::work::STATEMENTS,
    ]
    .into_iter()
    .flatten()
}
