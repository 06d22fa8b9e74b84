//! Comparing what is wanted with what a cloud describes.
//!
//! Only *owned* properties count: those that the node sets. A cloud adds
//! defaults and people add their own; neither is a difference, and neither is
//! ever removed.

use crate::{driver::PatchOperation, graph::Node};
use serde_json::Value;
use std::collections::BTreeSet;

/// How a resource differs from what is wanted of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// What an update can put right.
    pub patch: Vec<PatchOperation>,
    /// Pointers of properties that differ and cannot be changed in place.
    pub fixed: Vec<String>,
}

impl Differences {
    pub fn is_empty(&self) -> bool {
        self.patch.is_empty() && self.fixed.is_empty()
    }
}

/// What separates `observed` from `desired` (references resolved), as far as
/// `node` owns it. Write-only properties are left out: a read never shows them.
pub fn differences(node: &Node, desired: &Value, observed: &Value) -> Differences {
    let mut walk = Walk {
        create_only: &node.create_only,
        write_only: &node.write_only,
        found: Differences::default(),
    };
    for (key, want) in desired.as_object().into_iter().flatten() {
        walk.member(&child("", key), want, observed.get(key));
    }
    walk.found
}

/// The owned part of `observed`: what a record says was applied when a resource
/// was found instead of made.
pub fn view(desired: &Value, observed: &Value) -> Value {
    match (desired, observed) {
        (Value::Object(want), Value::Object(have)) => Value::Object(
            want.iter()
                .filter_map(|(key, item)| Some((key.clone(), view(item, have.get(key)?))))
                .collect(),
        ),
        // Only the wanted keys: a tag that people added must not look applied,
        // or dropping it from the wish would remove it.
        (Value::Array(want), Value::Array(have)) if is_keyed(want) && is_keyed(have) => have
            .iter()
            .filter(|item| {
                key_value(item).is_some_and(|(key, _)| {
                    want.iter()
                        .filter_map(key_value)
                        .any(|(other, _)| other == key)
                })
            })
            .cloned()
            .collect(),
        _ if alike(desired, observed) => desired.clone(),
        _ => observed.clone(),
    }
}

/// Whether `observed` says what `desired` says: numbers and booleans may come
/// as text, JSON documents as text, a list in another order, a single item
/// without its list, and objects with more members.
pub fn alike(desired: &Value, observed: &Value) -> bool {
    match (desired, observed) {
        (Value::Object(want), Value::Object(have)) => want.iter().all(|(key, item)| {
            have.get(key)
                .map_or_else(|| is_nothing(item), |other| alike(item, other))
        }),
        (Value::Array(want), Value::Array(have)) => same_items(want, have),
        (Value::Object(_), Value::String(text)) | (Value::String(text), Value::Object(_)) => {
            let other = if desired.is_object() {
                desired
            } else {
                observed
            };
            serde_json::from_str::<Value>(text).is_ok_and(|parsed| {
                if desired.is_object() {
                    alike(desired, &parsed)
                } else {
                    alike(&parsed, other)
                }
            })
        }
        (Value::Array(items), single) | (single, Value::Array(items))
            if !single.is_object() && items.len() == 1 =>
        {
            alike(&items[0], single)
        }
        (Value::String(text), Value::Number(_) | Value::Bool(_)) => *text == written(observed),
        (Value::Number(_) | Value::Bool(_), Value::String(text)) => *text == written(desired),
        (Value::String(want), Value::String(have)) => want == have || same_document(want, have),
        (Value::Number(want), Value::Number(have)) => {
            want == have || want.as_f64() == have.as_f64()
        }
        _ => desired == observed,
    }
}

fn written(value: &Value) -> String {
    value.to_string()
}

/// Whether the version `have` is one of the versions `want`.
pub fn completes(want: &str, have: &str) -> bool {
    let version = |text: &str| {
        let mut parts = text.split('.');
        parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    version(want)
        && version(have)
        && have
            .strip_prefix(want)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Two texts that are the same JSON object, however written.
fn same_document(want: &str, have: &str) -> bool {
    want.starts_with('{')
        && match (
            serde_json::from_str::<Value>(want),
            serde_json::from_str::<Value>(have),
        ) {
            (Ok(want), Ok(have)) => alike(&want, &have),
            _ => false,
        }
}

/// Each wanted item has a partner of its own, and none is left over.
fn same_items(want: &[Value], have: &[Value]) -> bool {
    if want.len() != have.len() {
        return false;
    }
    let mut free: Vec<&Value> = have.iter().collect();
    want.iter().all(|item| {
        let partner = free.iter().position(|other| alike(item, other));
        partner.map(|index| free.swap_remove(index)).is_some()
    })
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

/// A key as a segment of a JSON pointer (RFC 6901, section 3).
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The pointer to the member `key` of what is at `path`.
pub fn child(path: &str, key: &str) -> String {
    format!("{path}/{}", escape(key))
}

struct Walk<'a> {
    create_only: &'a BTreeSet<String>,
    write_only: &'a BTreeSet<String>,
    found: Differences,
}

impl Walk<'_> {
    fn member(&mut self, path: &str, want: &Value, have: Option<&Value>) {
        if covers(self.write_only, path) {
            return;
        }
        let Some(have) = have.filter(|have| !have.is_null()) else {
            // What a read leaves out and nothing could change says nothing.
            if !is_nothing(want) && !covers(self.create_only, path) {
                self.differs(path, |path| PatchOperation::Add {
                    path,
                    value: want.clone(),
                });
            }
            return;
        };
        match (want, have) {
            (Value::Object(members), Value::Object(others)) => {
                for (key, item) in members {
                    self.member(&child(path, key), item, others.get(key));
                }
            }
            (Value::Array(items), Value::Array(others))
                if is_keyed(items) && (others.is_empty() || is_keyed(others)) =>
            {
                self.keyed(path, items, others);
            }
            _ if alike(want, have) => {}
            // Asked for "16", a cloud makes "16.4", and later "16.5".
            (Value::String(want), Value::String(have))
                if path.ends_with("Version") && completes(want, have) => {}
            _ => self.differs(path, |path| PatchOperation::Replace {
                path,
                value: want.clone(),
            }),
        }
    }

    /// Tags and attributes: each key is a property of its own, so that what
    /// people added stays.
    fn keyed(&mut self, path: &str, want: &[Value], have: &[Value]) {
        for item in want {
            let Some((key, value)) = key_value(item) else {
                continue;
            };
            let other = have
                .iter()
                .enumerate()
                .find_map(|(index, other)| match key_value(other) {
                    Some((name, current)) if name == key => Some((index, current)),
                    _ => None,
                });
            match other {
                Some((_, current)) if alike(value, current) => {}
                Some((index, _)) => {
                    self.differs(&format!("{path}/{index}/Value"), |path| {
                        PatchOperation::Replace {
                            path,
                            value: value.clone(),
                        }
                    });
                }
                None => self.differs(&format!("{path}/-"), |path| PatchOperation::Add {
                    path,
                    value: item.clone(),
                }),
            }
        }
    }

    fn differs(&mut self, path: &str, operation: impl FnOnce(String) -> PatchOperation) {
        if covers(self.create_only, path) {
            self.found.fixed.push(path.to_owned());
        } else {
            self.found.patch.push(operation(path.to_owned()));
        }
    }
}

/// Whether one of `pointers` is `path` or above it; `*` stands for one segment.
pub fn covers(pointers: &BTreeSet<String>, path: &str) -> bool {
    pointers.iter().any(|pointer| {
        let mut parts = path.split('/');
        pointer
            .split('/')
            .all(|want| parts.next().is_some_and(|part| want == "*" || want == part))
    })
}

/// What is said in the place of a value that the cloud never returns: it may be
/// a secret.
pub const NOT_SHOWN: &str = "(not shown)";

/// `value`, which stands at `path`, with [`NOT_SHOWN`] in the place of what is
/// at `pointers`.
pub fn masked(value: &Value, path: &str, pointers: &BTreeSet<String>) -> Value {
    match value {
        _ if covers(pointers, path) => Value::from(NOT_SHOWN),
        Value::Object(members) => members
            .iter()
            .map(|(key, item)| (key.clone(), masked(item, &child(path, key), pointers)))
            .collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| masked(item, &format!("{path}/*"), pointers))
            .collect(),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Address, Lookup, Replacement};
    use serde_json::json;

    fn node(create_only: &[&str], write_only: &[&str]) -> Node {
        Node {
            address: Address::new("a"),
            type_name: "AWS::S3::Bucket".into(),
            title: String::new(),
            properties: json!({}),
            needs: BTreeSet::new(),
            stateful: false,
            lookup: Lookup::Tags {
                scope: None,
                name_pointer: None,
            },
            replacement: Replacement::Guarded,
            create_only: create_only.iter().map(|p| (*p).to_owned()).collect(),
            write_only: write_only.iter().map(|p| (*p).to_owned()).collect(),
            monthly_cents: None,
        }
    }

    #[test]
    fn defaults_and_foreign_properties_are_no_difference() {
        let desired =
            json!({"Port": "5432", "Zones": ["b", "a"], "Off": [], "Doc": {"Action": "x"}});
        let observed = json!({
            "Port": 5432, "Zones": ["a", "b"], "Arn": "arn:1",
            "Doc": "{\"Action\": [\"x\"], \"Version\": \"1\"}",
        });
        assert!(differences(&node(&[], &[]), &desired, &observed).is_empty());
    }

    #[test]
    fn a_foreign_tag_stays_and_a_missing_one_is_added() {
        let desired = json!({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]});
        let observed =
            json!({"Tags": [{"Key": "theirs", "Value": "x"}, {"Key": "a", "Value": "0"}]});
        let found = differences(&node(&[], &[]), &desired, &observed);
        assert_eq!(
            found.patch,
            vec![
                PatchOperation::Replace {
                    path: "/Tags/1/Value".into(),
                    value: json!("1"),
                },
                PatchOperation::Add {
                    path: "/Tags/-".into(),
                    value: json!({"Key": "b", "Value": "2"}),
                },
            ]
        );
    }

    #[test]
    fn create_only_is_told_apart_and_write_only_left_out() {
        // Sorted: whether maps keep their order depends on what else is built.
        let desired = json!({"Name": "new", "New": true, "Rules": {"Deep": 1}, "Secret": "s", "Size": 2, "Unread": 1});
        let observed = json!({"Name": "old", "Rules": {"Deep": 0}, "Size": 1});
        let found = differences(
            &node(&["/Name", "/Rules", "/Unread"], &["/Secret"]),
            &desired,
            &observed,
        );
        assert_eq!(found.fixed, ["/Name", "/Rules/Deep"]);
        assert_eq!(
            found.patch,
            vec![
                PatchOperation::Add {
                    path: "/New".into(),
                    value: json!(true),
                },
                PatchOperation::Replace {
                    path: "/Size".into(),
                    value: json!(2),
                },
            ]
        );
    }

    #[test]
    fn a_cloud_completes_a_version() {
        let version = |text: &str| json!({ "EngineVersion": text });
        let it = node(&[], &[]);
        assert!(differences(&it, &version("16"), &version("16.4")).is_empty());
        assert!(!differences(&it, &version("16"), &version("17.1")).is_empty());
        assert!(!differences(&it, &version("1"), &version("16.4")).is_empty());
        assert!(!differences(&it, &version("16.4"), &version("16")).is_empty());
    }

    #[test]
    fn a_shorter_list_is_a_difference() {
        assert!(!alike(&json!(["a"]), &json!(["a", "b"])));
        assert!(!alike(&json!(["a", "a"]), &json!(["a", "b"])));
        assert!(!alike(&json!("1"), &json!("2")));
        assert!(!alike(&json!({"a": 1}), &json!({"b": 1})));
    }

    #[test]
    fn the_view_of_a_found_resource_shows_its_drift() {
        let desired = json!({"Size": 2, "Name": "n", "Gone": 1});
        let observed = json!({"Size": 1, "Name": "n", "Arn": "arn:1"});
        assert_eq!(view(&desired, &observed), json!({"Size": 1, "Name": "n"}));
        let desired = json!({"Tags": [{"Key": "a", "Value": "1"}]});
        let observed =
            json!({"Tags": [{"Key": "theirs", "Value": "x"}, {"Key": "a", "Value": "0"}]});
        assert_eq!(
            view(&desired, &observed),
            json!({"Tags": [{"Key": "a", "Value": "0"}]})
        );
    }

    #[test]
    fn pointers_cover_what_is_below_them() {
        let pointers = BTreeSet::from(["/A".to_owned(), "/B/*/C".to_owned()]);
        assert!(covers(&pointers, "/A"));
        assert!(covers(&pointers, "/A/deep/er"));
        assert!(covers(&pointers, "/B/0/C"));
        assert!(!covers(&pointers, "/B/0/D"));
        assert!(!covers(&pointers, "/Other"));
    }

    #[test]
    fn what_is_never_returned_is_masked_at_any_depth() {
        let pointers = BTreeSet::from(["/A/*/Secret".to_owned(), "/B".to_owned()]);
        let value = json!({"A": [{"Secret": "canary", "Id": 1}], "B": {"C": "canary"}, "D": 2});
        assert_eq!(
            masked(&value, "", &pointers),
            json!({"A": [{"Secret": NOT_SHOWN, "Id": 1}], "B": NOT_SHOWN, "D": 2})
        );
    }
}
