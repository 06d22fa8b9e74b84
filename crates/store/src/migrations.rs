//! The schema's history, inside the binary: an installation is one file.

use sqlx::{
    SqlStr,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
};

/// Version, description, text. A migration that was released never changes:
/// the database remembers its checksum and refuses to open.
type Texts = &'static [(i64, &'static str, &'static str)];

const SQLITE: Texts = &[
    (
        1,
        "foundation",
        include_str!("../migrations/sqlite/0001_foundation.sql"),
    ),
    (
        2,
        "secrets",
        include_str!("../migrations/sqlite/0002_secrets.sql"),
    ),
];

const POSTGRES: Texts = &[
    (
        1,
        "foundation",
        include_str!("../migrations/postgres/0001_foundation.sql"),
    ),
    (
        2,
        "secrets",
        include_str!("../migrations/postgres/0002_secrets.sql"),
    ),
];

pub(crate) fn sqlite() -> Migrator {
    migrator(SQLITE)
}

/// Takes an advisory lock while it runs, so that of several replicas started
/// together one migrates and the others wait.
pub(crate) fn postgres() -> Migrator {
    migrator(POSTGRES)
}

/// `Migrator::run` is generic over what lends a connection, in a way that makes
/// the future of its caller impossible to spawn; this is what it does inside.
pub(crate) async fn run<C: Migrate>(
    migrator: &Migrator,
    connection: &mut C,
) -> Result<(), MigrateError> {
    migrator.run_direct(None, connection, false).await
}

fn migrator(texts: Texts) -> Migrator {
    Migrator::with_migrations(
        texts
            .iter()
            .map(|&(version, description, text)| {
                Migration::new(
                    version,
                    description.into(),
                    MigrationType::Simple,
                    SqlStr::from_static(text),
                    false,
                )
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// `table.column` of every column that a migration adds, and those among
    /// them without a comment above.
    fn columns(texts: Texts) -> (BTreeSet<String>, Vec<String>) {
        let (mut all, mut undocumented) = (BTreeSet::new(), Vec::new());
        for (_, _, text) in texts {
            let (mut table, mut documented) = (None, false);
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                    table = rest.split_whitespace().next();
                } else if line.starts_with(')') {
                    table = None;
                } else if let Some(table) = table {
                    let line = line.trim_start();
                    let first = line.split_whitespace().next().unwrap_or_default();
                    let is_column = !first.is_empty()
                        && first.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                    if is_column {
                        let column = format!("{table}.{first}");
                        if !documented {
                            undocumented.push(column.clone());
                        }
                        all.insert(column);
                    }
                    documented = line.starts_with("--");
                }
            }
        }
        (all, undocumented)
    }

    #[test]
    fn every_column_is_documented_where_it_is_added() {
        for texts in [SQLITE, POSTGRES] {
            let (all, undocumented) = columns(texts);
            assert!(
                all.len() > 80,
                "the migrations were not understood: {all:?}"
            );
            assert_eq!(undocumented, Vec::<String>::new());
        }
    }

    #[test]
    fn both_engines_have_the_same_columns() {
        assert_eq!(columns(SQLITE).0, columns(POSTGRES).0);
    }
}
