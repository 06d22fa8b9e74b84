//! Nouns as people read them: aligned tables and short paragraphs.

use comfy_table::{Table, presets};
use landfall_model::{
    Timestamp,
    application::Application,
    audit::{Actor, Entry},
    check::{Check, CheckRun, Outcome},
    connection::{self, Connection, RotationStep},
    connector::Region,
    driver::Failure,
    environment::{self, Environment},
    grant::{GrantGuide, How, Way},
    member::Member,
    plan::{self, Plan, render::render},
    resource::Resource,
    retained::Retained,
    rollout::{self, NodeState, Rollout, RolloutProgress},
    token::Token,
};
use std::fmt::Write as _;

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

pub fn connection_state(state: &connection::State) -> String {
    match state {
        connection::State::Degraded { failed_checks, .. } => {
            format!("degraded ({} failed)", failed_checks.len())
        }
        other => other.as_str().to_owned(),
    }
}

pub fn connections(items: &[Connection]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.cloud().to_string(),
                one.method().as_str().to_owned(),
                one.scope().to_owned(),
                connection_state(&one.state),
                one.checked_at.map_or_else(|| "-".to_owned(), minute),
                one.target
                    .secret_expires_at()
                    .map_or_else(|| "-".to_owned(), day),
                one.two_keys().to_owned(),
                one.id.to_string(),
            ]
        })
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

pub fn applications(items: &[Application]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            let workloads: Vec<_> = one.workloads.keys().cloned().collect();
            vec![
                one.name.clone(),
                if workloads.is_empty() {
                    "-".into()
                } else {
                    workloads.join(", ")
                },
                minute(one.created_at),
                one.id.to_string(),
            ]
        })
        .collect();
    table(
        &["name", "workloads", "created", "id"],
        rows,
        "No applications yet. Make one: landfall apps create <name>",
    )
}

pub fn environments(items: &[Environment]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.kind.as_str().to_owned(),
                one.region.clone(),
                match one.approval {
                    environment::ApprovalPolicy::Automatic => "automatic",
                    environment::ApprovalPolicy::Manual => "manual",
                }
                .to_owned(),
                match &one.state {
                    environment::State::Active => "active",
                    environment::State::Deleted { .. } => "deleted",
                }
                .to_owned(),
                one.id.to_string(),
            ]
        })
        .collect();
    table(
        &["name", "kind", "region", "approval", "state", "id"],
        rows,
        "No environments yet. Make one: landfall environments create <app>/<name> --connection <name>",
    )
}

pub fn resources(items: &[Resource]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.address.to_string(),
                one.type_name.clone(),
                one.identifier.clone(),
                if one.stateful { "protected" } else { "" }.to_owned(),
                money(one.monthly_cents),
            ]
        })
        .collect();
    table(
        &["address", "type", "identifier", "", "cost"],
        rows,
        "Nothing is in the account yet. Deploy: landfall deploy <app>/<environment>",
    )
}

/// All that an approval is about, and the plan's id.
pub fn plan(plan: &Plan) -> String {
    format!(
        "{}Plan {}, {}",
        render(plan),
        plan.id,
        match &plan.state {
            plan::State::Proposed => "waits for approval",
            other => other.as_str(),
        }
    )
}

pub fn failure(failure: &Failure) -> String {
    match (&failure.action, &failure.resource) {
        (Some(action), Some(resource)) => {
            format!("{}: {} on {resource}", failure.code, action)
        }
        (Some(action), None) => format!("{}: {action}", failure.code),
        _ => format!("{}: {}", failure.code, failure.message),
    }
}

pub fn rollouts(items: &[Rollout]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.id.to_string(),
                one.state.as_str().to_owned(),
                one.environment_id.to_string(),
                one.started_by.clone(),
                minute(one.created_at),
            ]
        })
        .collect();
    table(
        &["id", "state", "environment", "by", "started"],
        rows,
        "No rollouts yet. Deploy: landfall deploy <app>/<environment>",
    )
}

pub fn rollout(progress: &RolloutProgress) -> String {
    let rows = progress
        .nodes
        .iter()
        .map(|(address, node)| {
            let (state, detail) = match node {
                NodeState::Waiting => ("waiting", String::new()),
                NodeState::Running { attempt, .. } => ("running", format!("attempt {attempt}")),
                NodeState::Done { identifier, .. } => ("done", identifier.clone()),
                NodeState::Failed { failure: one, .. } => ("failed", failure(one)),
                NodeState::Blocked { by } => ("blocked", format!("by {by}")),
                NodeState::Retained { identifier, .. } => ("retained", identifier.clone()),
            };
            vec![address.to_string(), state.to_owned(), detail]
        })
        .collect();
    let mut text = format!(
        "{}\n\nRollout {}: {}, {} of {} done",
        table(&["address", "state", "detail"], rows, "Nothing to do."),
        progress.rollout.id,
        progress.rollout.state.as_str(),
        progress.done,
        progress.total
    );
    if let Some(why) = &progress.why {
        let _ = write!(text, "\n{why}");
    }
    if let rollout::State::Failed {
        failed, blocked, ..
    } = progress.rollout.state
    {
        let _ = write!(
            text,
            "\n{failed} failed, {blocked} blocked. Fix the cause, then: landfall rollouts resume {}",
            progress.rollout.id
        );
    }
    for (name, url) in &progress.endpoints {
        let _ = write!(text, "\n{name}  {url}");
    }
    text
}

pub fn retained(items: &[Retained]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.typed_name().to_owned(),
                one.type_name.clone(),
                one.environment_name.clone(),
                one.reason.as_str().to_owned(),
                money(one.monthly_cents),
                one.state.as_str().to_owned(),
                one.id.to_string(),
            ]
        })
        .collect();
    table(
        &["name", "type", "environment", "why", "cost", "state", "id"],
        rows,
        "Nothing is retained: all that Landfall made is either in use or was destroyed by approval.",
    )
}

fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Member { name, .. } => name.clone(),
        Actor::System => "landfall".into(),
        Actor::Anonymous => "(unknown)".into(),
    }
}

pub fn audit(items: &[Entry]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.seq.to_string(),
                one.at.to_rfc3339(),
                actor(&one.actor),
                one.action.clone(),
                one.target.clone(),
                one.outcome.clone(),
            ]
        })
        .collect();
    table(
        &["#", "at", "who", "did", "to", "outcome"],
        rows,
        "The audit log is empty.",
    )
}

pub fn tokens(items: &[Token]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.role.to_string(),
                minute(one.expires_at),
                if one.revoked_at.is_some() {
                    "revoked"
                } else {
                    ""
                }
                .to_owned(),
                one.id.to_string(),
            ]
        })
        .collect();
    table(
        &["name", "role", "expires", "", "id"],
        rows,
        "No tokens. Make one: landfall tokens create <name>",
    )
}

pub fn members(items: &[Member]) -> String {
    let rows = items
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.role.to_string(),
                if one.removed_at.is_some() {
                    "removed"
                } else {
                    ""
                }
                .to_owned(),
                one.id.to_string(),
            ]
        })
        .collect();
    table(&["name", "role", "", "id"], rows, "No members.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rollout_that_could_not_begin_says_why() {
        let id = |prefix: &str| format!("{prefix}_0190b5c8e0f07c3f8a1d2b3c4d5e6f70");
        let progress: RolloutProgress = serde_json::from_value(json!({
            "rollout": {
                "id": id("rol"), "organization_id": id("org"), "environment_id": id("env"),
                "plan_id": id("pln"), "started_by": "ada", "started_by_role": "admin",
                "state": { "status": "failed", "at": "2026-01-01T00:00:00Z", "failed": 0, "blocked": 0 },
                "created_at": "2026-01-01T00:00:00Z", "version": 2,
            },
            "why": "the account stayed silent",
            "nodes": {}, "done": 0, "total": 0, "last_event": 0, "endpoints": {},
        }))
        .unwrap();
        assert!(rollout(&progress).contains("\nthe account stayed silent\n"));
    }
}
