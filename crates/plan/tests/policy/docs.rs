//! The reviewer's page is written by hand; it must still be about these
//! documents.

use super::*;
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../../docs/permissions.md");

/// What stands first in the tables of the sections between two headings.
fn named<'p>(from: &str, to: &str) -> BTreeSet<&'p str> {
    let section = PAGE.split_once(from).unwrap().1;
    let section = section.split_once(to).unwrap().0;
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(sid, _)| sid)
        .collect()
}

fn sids<'g>(statements: impl IntoIterator<Item = &'g Value>) -> BTreeSet<&'g str> {
    statements
        .into_iter()
        .map(|statement| statement["Sid"].as_str().unwrap())
        .collect()
}

#[test]
fn the_page_explains_every_statement_and_no_other() {
    let grant = granted();
    assert_eq!(
        named("\n## The provisioner\n", "\n## The reaper\n"),
        sids(statements_of(&grant, Identity::Provisioner))
    );
    assert_eq!(
        named("\n## The reaper\n", "\n## The boundary"),
        sids(statements_of(&grant, Identity::Reaper))
    );
    assert_eq!(
        named("\n## The boundary", "\n## What this does not stop\n"),
        sids(statements(&grant.boundary.document))
    );
}
