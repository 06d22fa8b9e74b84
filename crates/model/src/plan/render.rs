//! A plan for people to read. The plan itself, as JSON, is for programs.

use super::{
    Action, Change, Edit, Plan,
    items::{bare, name},
};
use crate::{
    graph::{Address, Node, is_reference},
    owned::{NOT_SHOWN, child, covers, masked},
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
        details(&mut out, plan, action);
    }
    footer(&mut out, plan);
    out
}

/// How much of what: "1 to update, 46 unchanged."
pub fn headline(plan: &Plan) -> String {
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

fn details(out: &mut String, plan: &Plan, action: &Action) {
    if let Some(fate) = fate(&action.change) {
        let _ = writeln!(out, "      {fate}");
    }
    for line in lines(plan, &action.address) {
        let _ = match (line.before, line.after) {
            (None, Some(after)) => {
                writeln!(out, "        + {}: {}", line.path, short(&after))
            }
            (Some(before), None) => {
                writeln!(out, "        - {}: {}", line.path, short(&before))
            }
            (Some(before), Some(after)) => {
                let (before, after) = apart(&before, &after);
                let joint = match before.len() + after.len() {
                    0..=100 => " → ".to_owned(),
                    _ => "\n            → ".to_owned(),
                };
                writeln!(out, "        ~ {}: {before}{joint}{after}", line.path)
            }
            (None, None) => writeln!(out, "        ~ {}: {NOT_SHOWN}", line.path),
        };
    }
}

/// The resource that is there, and what becomes of it.
pub fn fate(change: &Change) -> Option<String> {
    match change {
        Change::Update { identifier, .. }
        | Change::Adopt { identifier, .. }
        | Change::NoChange { identifier } => Some(identifier.clone()),
        Change::Replace {
            identifier,
            revision,
            stateful,
            ..
        } => Some(match (revision, stateful) {
            (true, _) => format!("{identifier} stays as an older revision"),
            (false, true) => format!("{identifier} stays in the account with its data"),
            (false, false) => format!("{identifier} stays in the account"),
        }),
        Change::Retain {
            identifier,
            stateful,
        } => Some(match stateful {
            true => format!("{identifier} stays in the account with its data"),
            false => format!("{identifier} stays in the account"),
        }),
        Change::Create { .. } => None,
    }
}

/// An [`Edit`] in words: both absent when neither may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub path: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What changes of a resource that is there.
pub fn lines(plan: &Plan, address: &Address) -> Vec<Line> {
    plan.edits(address)
        .iter()
        .map(
            |Edit {
                 path,
                 before,
                 after,
                 hidden: _,
             }| Line {
                path: path.clone(),
                before: before.as_ref().map(said),
                after: after.as_ref().map(said),
            },
        )
        .collect()
}

/// What a new resource is made with, leaf by leaf.
pub fn properties(node: &Node) -> Vec<Line> {
    let mut lines = Vec::new();
    leaves("", "", &node.properties, node, &mut lines);
    lines
}

/// `pointer` is where `value` is, `path` how that is put for people.
fn leaves(pointer: &str, path: &str, value: &Value, node: &Node, lines: &mut Vec<Line>) {
    let hidden = covers(&node.write_only, pointer);
    match value {
        Value::Object(members) if !hidden && !is_reference(members) && !members.is_empty() => {
            for (key, item) in members.iter().collect::<BTreeMap<_, _>>() {
                let (pointer, path) = (child(pointer, key), format!("{path}/{key}"));
                leaves(&pointer, &path, item, node, lines);
            }
        }
        Value::Array(items) if !hidden && items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                let place = name(item).map_or_else(|| index.to_string(), |(name, _)| name.into());
                let path = format!("{path}/{place}");
                match bare(item).filter(|_| item.as_object().is_some_and(|it| it.len() == 2)) {
                    Some((property, value)) => {
                        let pointer = format!("{pointer}/{index}/{property}");
                        leaves(&pointer, &path, value, node, lines);
                    }
                    None => leaves(&format!("{pointer}/{index}"), &path, item, node, lines),
                }
            }
        }
        _ => lines.push(Line {
            path: path.to_owned(),
            before: None,
            // Something in it may be hidden where the whole is not.
            after: (!hidden).then(|| said(&masked(value, pointer, &node.write_only))),
        }),
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

const WIDTH: usize = 100;

fn short(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(WIDTH - 1).collect();
    cut.push('…');
    cut
}

/// Both on one line, cut so that the first difference is seen.
fn apart(before: &str, after: &str) -> (String, String) {
    let both = || before.chars().zip(after.chars());
    let same = both().take_while(|(one, other)| one == other).count();
    let longest = before.chars().count().max(after.chars().count());
    if longest <= WIDTH || same < WIDTH / 2 {
        return (short(before), short(after));
    }
    let from_the_difference = |text: &str| {
        let rest: String = text.chars().skip(same - WIDTH / 4).collect();
        short(&format!("…{rest}"))
    };
    (from_the_difference(before), from_the_difference(after))
}

/// A value on one line; references as `<network.vpc/VpcId>`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Lookup, Replacement};
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn what_a_new_resource_is_made_with_is_said_without_what_is_never_returned() {
        let node = Node {
            address: Address::new("a"),
            type_name: "AWS::ECS::TaskDefinition".into(),
            title: String::new(),
            properties: json!({
                "SecretString": "canary",
                "Listeners": [{"Config": {"ClientSecret": "canary", "ClientId": "c"}}],
                "Environment": [{"Name": "PORT", "Value": "80"}],
                "Role": {"$ref": "web.role", "attr": "/Arn"},
                "Zones": ["a", "b"],
                "Passwords": ["canary", "canary"],
                "Files": {"etc/key~1": "canary", "etc/motd": "hello"},
            }),
            needs: BTreeSet::new(),
            stateful: false,
            lookup: Lookup::Tags {
                scope: None,
                name_pointer: None,
            },
            replacement: Replacement::Guarded,
            create_only: BTreeSet::new(),
            write_only: BTreeSet::from([
                "/SecretString".to_owned(),
                "/Listeners/*/Config/ClientSecret".to_owned(),
                "/Passwords/*".to_owned(),
                "/Files/etc~1key~01".to_owned(),
            ]),
            monthly_cents: None,
        };
        let lines: Vec<(String, Option<String>)> = properties(&node)
            .into_iter()
            .map(|line| (line.path, line.after))
            .collect();
        let line = |path: &str, value: Option<&str>| (path.to_owned(), value.map(str::to_owned));
        assert_eq!(
            lines,
            [
                line("/Environment/PORT", Some("\"80\"")),
                line("/Files/etc/key~1", None),
                line("/Files/etc/motd", Some("\"hello\"")),
                line("/Listeners/0/Config/ClientId", Some("\"c\"")),
                line("/Listeners/0/Config/ClientSecret", None),
                line("/Passwords", Some("[\"(not shown)\", \"(not shown)\"]")),
                line("/Role", Some("<web.role/Arn>")),
                line("/SecretString", None),
                line("/Zones", Some("[\"a\", \"b\"]")),
            ]
        );
    }

    #[test]
    fn long_values_are_cut_where_they_differ() {
        let (one, other) = (
            format!("{}one", "x".repeat(200)),
            format!("{}two", "x".repeat(200)),
        );
        let (one, other) = apart(&one, &other);
        assert!(one.starts_with('…') && one.ends_with("one"), "{one}");
        assert!(other.ends_with("two"), "{other}");
    }
}
