//! How a resource differs from what is wanted of it, as far as it is owned.
//!
//! Beyond `landfall_model::owned` (which the engine uses on resolved values)
//! this knows what was applied before, so that what is no longer wanted is
//! taken away and a cloud's own spelling is not taken for drift; and it takes
//! references to nodes that the same plan makes.

use crate::aws::rules::{Rule, rule};
use landfall_model::{
    driver::PatchOperation,
    graph,
    graph::Node,
    owned::{self, covers},
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a resource. `desired` has its references resolved where
/// they can be.
pub struct Compared<'a> {
    pub node: &'a Node,
    pub desired: &'a Value,
    pub observed: &'a Value,
    /// The owned properties as last applied, when it is recorded.
    pub applied: Option<&'a Value>,
    /// As read right after that.
    pub returned: Option<&'a Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What an update can put right.
    pub patch: Vec<PatchOperation>,
    /// Pointers that differ and cannot be changed in place.
    pub fixed: Vec<String>,
    /// Pointers where something else is wanted than before.
    pub wished: Vec<String>,
    /// Pointers that somebody changed outside Landfall.
    pub drifted: Vec<String>,
}

impl Difference {
    pub fn is_empty(&self) -> bool {
        self.patch.is_empty() && self.fixed.is_empty()
    }
}

pub fn compare(compared: &Compared<'_>) -> Difference {
    let mut walk = Walk {
        node: compared.node,
        found: Difference::default(),
    };
    let sides = Sides {
        have: Some(compared.observed),
        applied: compared.applied,
        returned: compared.returned,
    };
    if let Some(members) = compared.desired.as_object() {
        walk.members("", members, &sides);
    }
    walk.found
}

/// One place in the properties, seen from each side.
#[derive(Clone, Copy)]
struct Sides<'a> {
    have: Option<&'a Value>,
    applied: Option<&'a Value>,
    returned: Option<&'a Value>,
}

impl<'a> Sides<'a> {
    fn get(&self, key: &str) -> Self {
        let step = |side: Option<&'a Value>| side?.get(key).filter(|it| !it.is_null());
        Self {
            have: step(self.have),
            applied: step(self.applied),
            returned: step(self.returned),
        }
    }
}

struct Walk<'a> {
    node: &'a Node,
    found: Difference,
}

impl Walk<'_> {
    fn members(&mut self, path: &str, want: &Map<String, Value>, sides: &Sides<'_>) {
        // Sorted by ourselves: the order is part of the plan's digest, and a
        // build may switch on serde_json's `preserve_order`.
        for (key, item) in want.iter().collect::<BTreeMap<_, _>>() {
            self.value(&child(path, key), item, &sides.get(key));
        }
        // What we set before and no longer want. What others set stays.
        let applied = sides.applied.and_then(Value::as_object);
        for key in applied
            .into_iter()
            .flat_map(Map::keys)
            .collect::<BTreeSet<_>>()
        {
            let there = sides.have.and_then(|it| it.get(key));
            if !want.contains_key(key) && there.is_some_and(|it| !it.is_null()) {
                self.remove(child(path, key));
            }
        }
    }

    fn remove(&mut self, path: String) {
        // What cannot be changed in place is not worth another resource only
        // because it is no longer asked for.
        if !covers(&self.node.create_only, &path) && !covers(&self.node.write_only, &path) {
            self.found.wished.push(path.clone());
            self.found.patch.push(PatchOperation::Remove { path });
        }
    }

    fn value(&mut self, path: &str, want: &Value, sides: &Sides<'_>) {
        let rule = rule(&self.node.type_name, path);
        if rule == Some(Rule::AtCreation) {
            return;
        }
        if covers(&self.node.write_only, path) {
            // Never read back; where nothing is recorded nothing can be said.
            let same = |applied: &Value| !is_open(want) && owned::alike(want, applied);
            if sides.applied.is_some_and(|applied| !same(applied)) {
                self.differs(path, want, sides, false);
            }
            return;
        }
        let Some(have) = sides.have else {
            // Some properties are not returned, though no schema says so: not
            // after they were applied, and not now.
            let never_returned = sides.returned.is_none() && self.unchanged(want, sides);
            if !is_nothing(want) && !never_returned {
                self.differs(path, want, sides, false);
            }
            return;
        };
        let same = match (want, have) {
            _ if graph_reference(want) => false,
            _ if rule == Some(Rule::Policy) => !is_open(want) && same_policy(want, have),
            (Value::Object(members), Value::Object(_)) => {
                self.members(path, members, sides);
                return;
            }
            (Value::Array(items), Value::Array(others))
                if is_keyed(items) && (others.is_empty() || is_keyed(others)) =>
            {
                self.keyed(path, items, others, sides);
                return;
            }
            (Value::String(want), Value::String(have)) if rule == Some(Rule::IgnoreCase) => {
                want.eq_ignore_ascii_case(have)
            }
            (Value::String(want), Value::String(have)) if rule == Some(Rule::VersionPrefix) => {
                owned::completes(want, have)
            }
            _ => !is_open(want) && owned::alike(want, have),
        };
        if !same && !self.is_echo(want, have, sides) {
            self.differs(path, want, sides, true);
        }
    }

    fn unchanged(&self, want: &Value, sides: &Sides<'_>) -> bool {
        let alike = |applied| owned::alike(want, applied);
        !is_open(want) && sides.applied.is_some_and(alike)
    }

    /// The cloud's own spelling of what we asked for: asked for the same, it
    /// answered the same right after. Only for texts and lists: a number or a
    /// boolean has no second spelling.
    fn is_echo(&self, want: &Value, have: &Value, sides: &Sides<'_>) -> bool {
        (have.is_string() || have.is_array())
            && sides.returned == Some(have)
            && self.unchanged(want, sides)
    }

    /// Tags and attributes: every key is a property of its own.
    fn keyed(&mut self, path: &str, want: &[Value], have: &[Value], sides: &Sides<'_>) {
        let applied = |key: &str| find(sides.applied?.as_array()?, key);
        for item in want {
            let Some((key, value)) = key_value(item) else {
                continue;
            };
            let was = applied(key).map(|(_, value)| value);
            match find(have, key) {
                Some((_, current)) if !is_open(value) && owned::alike(value, current) => {}
                Some((index, current)) => {
                    let place = format!("{path}/{index}/Value");
                    let label = format!("{path}/{key}");
                    self.note(&label, value, was);
                    self.put(place, value, Some(current));
                }
                None => {
                    self.note(&format!("{path}/{key}"), value, was);
                    self.put(format!("{path}/-"), item, None);
                }
            }
        }
        let mut gone: Vec<(usize, &str)> = Vec::new();
        for item in sides
            .applied
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let Some((key, _)) = key_value(item)
                && find(want, key).is_none()
                && let Some((index, _)) = find(have, key)
            {
                gone.push((index, key));
            }
        }
        // From the end, so that the places of the others do not move.
        gone.sort_unstable();
        for (index, key) in gone.into_iter().rev() {
            let place = format!("{path}/{index}");
            if !covers(&self.node.create_only, &place) {
                self.found.wished.push(format!("{path}/{key}"));
                self.found
                    .patch
                    .push(PatchOperation::Remove { path: place });
            }
        }
    }

    fn differs(&mut self, path: &str, want: &Value, sides: &Sides<'_>, present: bool) {
        self.note(path, want, sides.applied);
        let have = if present { sides.have } else { None };
        self.put(path.to_owned(), want, have);
    }

    fn note(&mut self, path: &str, want: &Value, applied: Option<&Value>) {
        let same = applied.is_some_and(|applied| owned::alike(want, applied));
        if is_open(want) || !same {
            self.found.wished.push(path.to_owned());
        } else {
            self.found.drifted.push(path.to_owned());
        }
    }

    fn put(&mut self, path: String, value: &Value, have: Option<&Value>) {
        if covers(&self.node.create_only, &path) {
            self.found.fixed.push(path);
            return;
        }
        let value = value.clone();
        self.found.patch.push(match have {
            Some(_) => PatchOperation::Replace { path, value },
            None => PatchOperation::Add { path, value },
        });
    }
}

fn child(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Holds a reference that is not resolved.
fn is_open(value: &Value) -> bool {
    let mut found = BTreeSet::new();
    graph::references(value, &mut found);
    !found.is_empty()
}

/// Is itself a reference or text made of some.
fn graph_reference(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|it| it.contains_key("$ref") || it.contains_key("$concat"))
}

/// Clouds leave out what is empty.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn key_value(item: &Value) -> Option<(&str, &Value)> {
    let object = item.as_object().filter(|object| object.len() == 2)?;
    Some((object.get("Key")?.as_str()?, object.get("Value")?))
}

fn is_keyed(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| key_value(item).is_some())
}

fn find<'a>(items: &'a [Value], key: &str) -> Option<(usize, &'a Value)> {
    items
        .iter()
        .enumerate()
        .find_map(|(index, item)| match key_value(item) {
            Some((name, value)) if name == key => Some((index, value)),
            _ => None,
        })
}

/// Policy documents that say the same. Unlike elsewhere, more is not the same:
/// one principal more in a trust policy is everything.
fn same_policy(want: &Value, have: &Value) -> bool {
    let have = match have {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(parsed) => parsed,
            Err(_) => return false,
        },
        other => other.clone(),
    };
    canonical(want) == canonical(&have)
}

/// Every leaf as a sorted list of texts.
fn canonical(value: &Value) -> Value {
    match value {
        // Order counts below, in the texts that lists are sorted by.
        Value::Object(members) => members
            .iter()
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .map(|(key, item)| (key.clone(), canonical(item)))
            .collect(),
        Value::Array(items) => {
            let mut items: Vec<Value> = items
                .iter()
                .map(|item| match canonical(item) {
                    Value::Array(mut one) if one.len() == 1 => one.remove(0),
                    other => other,
                })
                .collect();
            items.sort_by_cached_key(Value::to_string);
            items.dedup();
            Value::Array(items)
        }
        Value::String(_) => Value::Array(vec![value.clone()]),
        other => Value::Array(vec![Value::String(other.to_string())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn policies_are_the_same_however_written_but_not_with_more() {
        let want = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": ["sts:AssumeRole"],
        }]});
        let same = json!({"Version": "2012-10-17", "Statement": [{
            "Action": "sts:AssumeRole", "Effect": "Allow",
            "Principal": {"Service": ["ecs-tasks.amazonaws.com"]},
        }]});
        assert!(same_policy(&want, &same));
        assert!(same_policy(&want, &json!(same.to_string())));
        let mut more = same.clone();
        more["Statement"][0]["Principal"]["AWS"] = json!("*");
        assert!(!same_policy(&want, &more));
        assert!(!same_policy(&want, &json!("not a document")));
    }
}
