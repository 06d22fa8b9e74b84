//! Connections, their grants and their checks.

use super::{minute, symbol, table};
use landfall_model::{
    Timestamp,
    check::{Check, CheckRun, Outcome},
    connection::{self, Connection, Expiry, RotationStep, View},
    connector::Region,
    grant::{GrantGuide, How, Way},
    quote,
};
use std::fmt::Write as _;

pub fn connection_state(state: &connection::State) -> String {
    match state {
        connection::State::Degraded { failed_checks, .. } => {
            format!("degraded ({} failed)", failed_checks.len())
        }
        other => other.as_str().to_owned(),
    }
}

pub fn connections(items: &[View]) -> String {
    let rows = items
        .iter()
        .map(
            |View {
                 connection: one,
                 expiry,
                 ..
             }| {
                vec![
                    one.name.clone(),
                    one.cloud().to_string(),
                    one.method().as_str().to_owned(),
                    match one.target.above() {
                        Some(above) => format!("{} ({above})", one.scope()),
                        None => one.scope().to_owned(),
                    },
                    connection_state(&one.state),
                    one.checked_at.map_or_else(|| "-".to_owned(), minute),
                    expiry.map_or_else(|| "-".to_owned(), |expiry| ends(&expiry)),
                    one.two_keys().to_owned(),
                    one.id.to_string(),
                ]
            },
        )
        .collect();
    table(
        &[
            "name", "cloud", "method", "scope", "state", "checked", "ends", "two keys", "id",
        ],
        rows,
        "No connections yet. Connect an account: landfall connect aws --account <12 digits>",
    )
}

/// `2026-11-21`
fn day(at: Timestamp) -> String {
    at.to_rfc3339().chars().take(10).collect()
}

/// The day, and from the first warning on how soon it is.
fn ends(expiry: &Expiry) -> String {
    let day = day(expiry.at);
    match (expiry.is_over(), expiry.warning_days, expiry.days_left) {
        (true, ..) => format!("ended {day}"),
        (_, Some(_), 1) => format!("{day}, in 1 day"),
        (_, Some(_), days) => format!("{day}, in {days} days"),
        (_, None, _) => day,
    }
}

/// With what to do while the secret's end is near.
pub fn seen(view: &View) -> String {
    let mut text = connection(&view.connection);
    let Some(expiry) = view.expiry.filter(|one| one.warning_days.is_some()) else {
        return text;
    };
    let _ = writeln!(text, "  {:<19} {}", "secret ends", ends(&expiry));
    let consequence = if expiry.is_over() {
        "Workloads are unaffected, but Landfall changes nothing until it has a new one."
    } else {
        "Replace it without an outage, or move to a method that needs none."
    };
    // Landfall makes one itself with the one in use, which must still work.
    let by_hand = match view.connection.state {
        connection::State::Connected { .. } | connection::State::Degraded { .. }
            if !expiry.is_over() =>
        {
            ""
        }
        _ => " --client-secret-file -",
    };
    let name = quote::shell(&view.connection.name);
    let _ = writeln!(
        text,
        "  {:<19} {consequence}\n  {:<19} Next: landfall connections rotate {name}{by_hand}",
        "", ""
    );
    text
}

pub fn connection(one: &Connection) -> String {
    let mut facts = vec![
        ("method", one.method().to_string()),
        ("state", connection_state(&one.state)),
    ];
    let labels = one.facts();
    let labels: Vec<_> = labels
        .into_iter()
        .map(|(label, value)| (label.to_lowercase(), value))
        .collect();
    let mut text = format!("{} ({})\n", one.name, one.id);
    for (label, value) in facts
        .drain(..)
        .map(|(label, value)| (label.to_owned(), value))
        .chain(labels)
    {
        let _ = writeln!(text, "  {label:<19} {value}");
    }
    let region = one.default_region.as_deref().unwrap_or("not chosen");
    let _ = writeln!(text, "  {:<19} {region}", "region");
    match &one.state {
        connection::State::Revoked { reason, .. } => {
            let _ = writeln!(text, "  {:<19} {reason}", "revoked");
            text.push_str(
                "                      Workloads in the account are unaffected. Grant again to heal.\n",
            );
        }
        connection::State::Degraded { failed_checks, .. } => {
            let _ = writeln!(text, "  {:<19} {}", "failed", failed_checks.join(", "));
        }
        _ => {}
    }
    if let Some(rotation) = &one.rotation {
        let doing = match &rotation.step {
            RotationStep::Adding { .. } => "a new secret is being made",
            RotationStep::Trying { .. } => "a new secret is being tried",
            RotationStep::Removing { .. } => "in use; the old secret is being removed",
            RotationStep::GaveUp { reason } => reason,
        };
        let _ = writeln!(text, "  {:<19} {doing}", "rotation");
    }
    if let Some(old) = &one.left_behind {
        let key = old.secret_key_id().unwrap_or("the old one");
        let _ = writeln!(
            text,
            "  {:<19} {key}: nobody needs it, delete it",
            "old key"
        );
    }
    text
}

/// The recommended way in full, and the names of the others.
pub fn grant(guide: &GrantGuide) -> String {
    ways(&guide.ways)
}

pub fn ways(ways: &[Way]) -> String {
    let mut text = String::new();
    for way in ways {
        match &way.how {
            How::Link { url } => {
                let _ = writeln!(text, "{} Open:\n\n  {url}\n", way.about);
            }
            How::Unavailable { reason } => {
                let _ = writeln!(text, "(Not \"{}\": {reason})\n", way.title);
            }
            _ => {}
        }
    }
    let commands = ways.iter().find_map(|way| match &way.how {
        How::Commands { commands } => Some((way, commands)),
        _ => None,
    });
    if let Some((way, commands)) = commands {
        let _ = writeln!(text, "{}:\n\n{commands}", way.title);
    }
    let others: Vec<_> = ways
        .iter()
        .filter(|way| !matches!(way.how, How::Link { .. } | How::Unavailable { .. }))
        .filter(|way| commands.is_none_or(|(shown, _)| shown.id != way.id))
        .map(|way| way.title.to_lowercase())
        .collect();
    if !others.is_empty() {
        let _ = writeln!(
            text,
            "Other ways, on the connection's page or with --output json: {}.",
            others.join("; ")
        );
    }
    text
}

pub fn regions(items: &[Region]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            let state = match (one.enabled, one.changing) {
                (_, true) => "changing",
                (true, false) => "enabled",
                (false, false) => "not enabled",
            };
            vec![one.name.clone(), state.to_owned()]
        })
        .collect();
    table(&["region", "state"], rows, "The account shows no regions.")
}

fn check(one: &Check, width: usize) -> String {
    let mut text = format!("{} {:width$}  {}\n", symbol(one.outcome), one.id, one.title);
    if one.outcome != Outcome::Pass {
        let _ = writeln!(text, "    asked   {}", one.asked);
        let _ = writeln!(text, "    answer  {}", one.evidence);
        if !one.remedy.is_empty() {
            let _ = writeln!(text, "    remedy  {}", one.remedy);
        }
    }
    text
}

pub fn check_run(run: &CheckRun) -> String {
    if run.checks.is_empty() {
        return "No check was made yet.".into();
    }
    let width = run
        .checks
        .iter()
        .map(|check| check.id.len())
        .max()
        .unwrap_or(0);
    let mut text: String = run.checks.iter().map(|one| check(one, width)).collect();
    let count = |outcome| run.checks.iter().filter(|c| c.outcome == outcome).count();
    let _ = write!(
        text,
        "{} passed, {} warned, {} failed, {} propagating, {} skipped, {} unanswered",
        count(Outcome::Pass),
        count(Outcome::Warn),
        count(Outcome::Fail),
        count(Outcome::Propagating),
        count(Outcome::Skipped),
        count(Outcome::Unanswered)
    );
    text
}
