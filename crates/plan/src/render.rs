//! A plan for people to read. The plan itself, as JSON, is for programs.

use landfall_model::{
    driver::PatchOperation,
    plan::{Action, Change, Plan},
};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _};

/// The plan as text: one line for every change, then what exactly is patched.
/// What does not change is only counted.
pub fn render(plan: &Plan) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", headline(plan));
    let shown: Vec<&Action> = plan
        .actions
        .iter()
        .filter(|action| {
            // A difference that is left is shown.
            action.is_news()
        })
        .collect();
    if !shown.is_empty() {
        out.push('\n');
    }
    let width =
        |text: fn(&Action) -> &str| shown.iter().map(|it| text(it).len()).max().unwrap_or(0);
    let (addresses, types) = (width(|it| it.address.as_str()), width(|it| &it.type_name));
    for action in &shown {
        let cost = plan
            .graph
            .nodes
            .get(&action.address)
            .and_then(|node| node.monthly_cents)
            .map(|cents| format!("  (about {} a month)", dollars(u64::from(cents))))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "{:>3} {:addresses$}  {:types$}  {}{cost}",
            symbol(&action.change),
            action.address.as_str(),
            action.type_name,
            action.title,
        );
        // "Wanted, and not there yet" says no more than the sign before it.
        if !matches!(action.change, Change::Create { lost: None, .. }) {
            let _ = writeln!(out, "      {}", action.reason);
        }
        details(&mut out, &action.change);
    }
    footer(&mut out, plan);
    out
}

fn headline(plan: &Plan) -> String {
    let s = &plan.summary;
    let parts = [
        (s.create, "to create"),
        (s.update, "to update"),
        (s.replace, "to replace"),
        (s.revise, "to revise"),
        (s.adopt, "to adopt"),
        (s.retain, "to retain"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if parts.is_empty() {
        return format!("Nothing to do: {} resources are as wanted.", s.no_change);
    }
    match s.no_change {
        0 => format!("{}.", parts.join(", ")),
        unchanged => format!("{}, {unchanged} unchanged.", parts.join(", ")),
    }
}

fn symbol(change: &Change) -> &'static str {
    match change {
        Change::Create { .. } => "+",
        Change::Update { .. } => "~",
        Change::Replace { revision: true, .. } => "^",
        Change::Replace { .. } => "-/+",
        Change::Adopt { .. } => "=",
        Change::Retain { .. } => "o",
        Change::NoChange { .. } => "!",
    }
}

fn details(out: &mut String, change: &Change) {
    match change {
        Change::Update { identifier, patch } | Change::Adopt { identifier, patch } => {
            let _ = writeln!(out, "      {identifier}");
            for operation in patch {
                let _ = match operation {
                    PatchOperation::Add { path, value } => {
                        writeln!(out, "        + {path} = {}", short(value))
                    }
                    PatchOperation::Replace { path, value } => {
                        writeln!(out, "        ~ {path} = {}", short(value))
                    }
                    PatchOperation::Remove { path } => writeln!(out, "        - {path}"),
                };
            }
        }
        Change::Replace {
            identifier,
            revision,
            stateful,
            ..
        } => {
            let kept = match (revision, stateful) {
                (true, _) => "stays as an older revision",
                (false, true) => "stays in the account with its data",
                (false, false) => "stays in the account",
            };
            let _ = writeln!(out, "      {identifier} {kept}");
        }
        Change::Retain { identifier, .. } | Change::NoChange { identifier } => {
            let _ = writeln!(out, "      {identifier}");
        }
        Change::Create { .. } => {}
    }
}

fn footer(out: &mut String, plan: &Plan) {
    let total: u64 = plan
        .graph
        .nodes
        .values()
        .filter_map(|node| node.monthly_cents)
        .map(u64::from)
        .sum();
    out.push('\n');
    if total > 0 {
        let _ = writeln!(
            out,
            "About {} a month when done (list prices; traffic, requests and storage by use come on top).",
            dollars(total)
        );
    }
    let s = &plan.summary;
    if s.retain + s.replace + s.revise > 0 {
        out.push_str("Nothing is deleted: what is replaced or no longer wanted is kept and listed as retained.\n");
    }
    if plan.needs_person {
        out.push_str("A person must approve this plan.\n");
    }
    let left = plan
        .actions
        .iter()
        .filter(|it| matches!(it.change, Change::NoChange { .. }) && it.is_news());
    let left = u32::try_from(left.count()).unwrap_or(u32::MAX);
    let signs: [(u32, &str); 7] = [
        (s.create, "+ create"),
        (s.update, "~ update"),
        (s.replace, "-/+ replace"),
        (s.revise, "^ new revision"),
        (s.adopt, "= adopt"),
        (s.retain, "o retain"),
        (left, "! differs, and is left as it is"),
    ];
    let signs: Vec<&str> = signs
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(_, sign)| *sign)
        .collect();
    if !signs.is_empty() {
        let _ = writeln!(out, "Signs: {}", signs.join(", "));
    }
    let _ = writeln!(out, "Digest {}", plan.digest);
}

/// A value on one line; references as `network.vpc/VpcId`.
fn short(value: &Value) -> String {
    let text = said(value);
    if text.chars().count() <= 100 {
        return text;
    }
    let mut cut: String = text.chars().take(99).collect();
    cut.push('…');
    cut
}

fn said(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            if let (Some(address), Some(attr)) = (
                members.get("$ref").and_then(Value::as_str),
                members.get("attr").and_then(Value::as_str),
            ) {
                return match attr {
                    "$id" => format!("<{address}>"),
                    attr => format!("<{address}{attr}>"),
                };
            }
            if let Some(parts) = members.get("$concat").and_then(Value::as_array) {
                return parts
                    .iter()
                    .map(|part| part.as_str().map_or_else(|| said(part), str::to_owned))
                    .collect();
            }
            let members: Vec<String> = members
                .iter()
                .collect::<BTreeMap<_, _>>()
                .into_iter()
                .map(|(key, item)| format!("{key}: {}", said(item)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(said).collect();
            format!("[{}]", items.join(", "))
        }
        plain => plain.to_string(),
    }
}

fn dollars(cents: u64) -> String {
    format!("${}.{:02}", cents / 100, cents % 100)
}
