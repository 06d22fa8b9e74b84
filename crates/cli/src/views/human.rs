//! Nouns as people read them: aligned tables and short paragraphs.

mod access;
mod applications;
mod connections;
mod rollouts;

pub use access::*;
pub use applications::*;
pub use connections::*;
pub use rollouts::*;

use comfy_table::{Table, presets};
use landfall_model::{Timestamp, check::Outcome};

/// A table without lines, or `empty` when there is nothing in it.
pub fn table(headers: &[&str], rows: Vec<Vec<String>>, empty: &str) -> String {
    if rows.is_empty() {
        return empty.to_owned();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(headers.iter().map(|header| header.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// `2026-11-21 11:17`, in UTC.
pub fn minute(at: Timestamp) -> String {
    at.to_rfc3339()
        .get(..16)
        .map_or_else(|| at.to_rfc3339(), |text| text.replace('T', " "))
}

pub fn money(monthly_cents: Option<u32>) -> String {
    monthly_cents.map_or_else(
        || "by use".to_owned(),
        |cents| format!("${}.{:02}/mo", cents / 100, cents % 100),
    )
}

pub fn symbol(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "✓",
        Outcome::Warn => "!",
        Outcome::Propagating => "…",
        Outcome::Skipped => "-",
        Outcome::Unanswered => "?",
        Outcome::Fail => "✗",
    }
}
