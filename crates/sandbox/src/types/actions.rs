//! Which IAM actions a handler really needs for one operation.
//!
//! The handlers' lists are a superset: they name every action that any use of
//! the type may need. `actions.json` says when an action is needed (which
//! properties bring it), which listed ones are never used, and which are
//! missing from the list.

use super::{Model, TypeInfo, paths, tags};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What an operation does to the properties. A creation has no `before`, a
/// deletion no `after`, a read neither.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    Create(&'a Model),
    Read(&'a Model),
    Update { before: &'a Model, after: &'a Model },
    Delete(&'a Model),
    List,
}

impl Change<'_> {
    pub fn handler(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Read(_) => "read",
            Self::Update { .. } => "update",
            Self::Delete(_) => "delete",
            Self::List => "list",
        }
    }
}

#[derive(Deserialize)]
struct Overlay {
    /// Actions that exist in no policy language, with the reason.
    pseudo: BTreeMap<String, String>,
    service_linked_roles: BTreeMap<String, ServiceLinkedRole>,
    types: BTreeMap<String, BTreeMap<String, Handler>>,
}

/// The role that a service creates for itself in an account on first use.
#[derive(Debug, Deserialize)]
pub struct ServiceLinkedRole {
    pub service: String,
    pub role: String,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Handler {
    /// Listed, but not used: action to reason.
    unused: BTreeMap<String, String>,
    /// Needed only when one of these paths is concerned; `*` stands for any
    /// property but the tags.
    when: BTreeMap<String, Vec<String>>,
    /// Not listed, but needed, under the same conditions (none: always).
    add: BTreeMap<String, Vec<String>>,
}

fn overlay() -> &'static Overlay {
    static OVERLAY: OnceLock<Overlay> = OnceLock::new();
    OVERLAY.get_or_init(|| {
        serde_json::from_str(include_str!("actions.json"))
            .expect("actions.json is committed with the code that reads it")
    })
}

/// The service-linked role that creating this type needs.
pub fn service_linked_role(type_name: &str) -> Option<&'static ServiceLinkedRole> {
    overlay().service_linked_roles.get(type_name)
}

/// The actions that the handler calls, sorted, each once.
/// `iam:CreateServiceLinkedRole` is left out where it is not the point: whether
/// it is needed depends on the account (see [`service_linked_role`]).
pub fn needed_actions(type_name: &str, info: &TypeInfo, change: Change<'_>) -> Vec<String> {
    static NONE: OnceLock<Handler> = OnceLock::new();
    let handler = overlay()
        .types
        .get(type_name)
        .and_then(|handlers| handlers.get(change.handler()))
        .unwrap_or_else(|| NONE.get_or_init(Handler::default));
    let listed = info.handlers.get(change.handler());
    let mut needed: Vec<String> = listed
        .into_iter()
        .flatten()
        .filter(|action| !overlay().pseudo.contains_key(*action))
        .filter(|action| {
            *action != "iam:CreateServiceLinkedRole" || type_name == "AWS::IAM::ServiceLinkedRole"
        })
        .filter(|action| !handler.unused.contains_key(*action))
        .filter(|action| match handler.when.get(*action) {
            Some(paths) => paths
                .iter()
                .any(|path| concerns(info, change, path, action)),
            None => tagging(info, change, action).unwrap_or(true),
        })
        .map(|action| canonical(action))
        .collect();
    for (action, paths) in &handler.add {
        if paths.is_empty()
            || paths
                .iter()
                .any(|path| concerns(info, change, path, action))
        {
            needed.push(canonical(action));
        }
    }
    needed.sort();
    needed.dedup();
    needed
}

/// `S3:GetBucketWebsite` stands in AWS's lists; IAM writes prefixes small.
fn canonical(action: &str) -> String {
    match action.split_once(':') {
        Some((service, name)) => format!("{}:{name}", service.to_ascii_lowercase()),
        None => action.to_owned(),
    }
}

fn verb(action: &str) -> &str {
    action.split_once(':').map_or(action, |(_, name)| name)
}

/// For an action that only moves tags: whether there are tags to move. None
/// for any other action.
fn tagging(info: &TypeInfo, change: Change<'_>, action: &str) -> Option<bool> {
    let name = verb(action);
    if !name.contains("Tag")
        || ["List", "Describe", "Get"]
            .iter()
            .any(|p| name.starts_with(p))
    {
        return None;
    }
    let takes = ["Untag", "RemoveTags", "DeleteTags"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    Some(match change {
        Change::Create(after) => !takes && !tags::read_tags(info, after).is_empty(),
        Change::Update { before, after } => {
            let (set, removed) = tags::tags_changed(
                &tags::read_tags(info, before),
                &tags::read_tags(info, after),
            );
            // S3 replaces the whole set in one call.
            let whole = name == "PutBucketTagging";
            (takes && !removed.is_empty())
                || (!takes && !set.is_empty())
                || (whole && !removed.is_empty())
        }
        // Final snapshots copy the tags of what is deleted.
        Change::Delete(before) => !takes && !tags::read_tags(info, before).is_empty(),
        Change::Read(_) | Change::List => true,
    })
}

fn concerns(info: &TypeInfo, change: Change<'_>, path: &str, action: &str) -> bool {
    let is_tag = |name: &str| info.taggable.as_deref() == Some(name);
    match change {
        Change::Create(model) | Change::Delete(model) | Change::Read(model) => {
            if path == "*" {
                model.keys().any(|name| !is_tag(name))
            } else {
                paths::touched(model, path)
            }
        }
        Change::Update { before, after } => {
            let names: Vec<&str> = if path == "*" {
                before
                    .keys()
                    .chain(after.keys())
                    .map(String::as_str)
                    .filter(|name| !is_tag(name))
                    .collect()
            } else {
                vec![path.split('/').next().unwrap_or(path)]
            };
            names.iter().any(|name| {
                let (lost, gained) = moved(before.get(*name), after.get(*name));
                if path != "*" && takes(action) {
                    lost
                } else {
                    gained || (path == "*" && lost)
                }
            })
        }
        Change::List => false,
    }
}

/// Whether an action takes something away that a property listed.
fn takes(action: &str) -> bool {
    const PREFIXES: [&str; 10] = [
        "Delete",
        "Detach",
        "Remove",
        "Revoke",
        "Disassociate",
        "Deregister",
        "Unassign",
        "Unsubscribe",
        "Stop",
        "Reset",
    ];
    PREFIXES
        .iter()
        .any(|prefix| verb(action).starts_with(prefix))
}

/// Whether a property lost something, and whether it gained something. Lists
/// move by element; everything else is gained when it changes.
fn moved(before: Option<&Value>, after: Option<&Value>) -> (bool, bool) {
    match (before, after) {
        (None, None) => (false, false),
        (Some(_), None) => (true, false),
        (None, Some(_)) => (false, true),
        (Some(Value::Array(before)), Some(Value::Array(after))) => (
            before.iter().any(|item| !after.contains(item)),
            after.iter().any(|item| !before.contains(item)),
        ),
        (Some(before), Some(after)) => (false, before != after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{lookup, names};
    use serde_json::json;

    fn needed(type_name: &str, change: Change<'_>) -> Vec<String> {
        needed_actions(type_name, lookup(type_name).unwrap(), change)
    }

    fn model(value: Value) -> Model {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn the_overlay_only_names_what_the_table_lists() {
        let handlers = ["create", "read", "update", "delete", "list"];
        for (type_name, by_handler) in &overlay().types {
            let info = lookup(type_name).unwrap_or_else(|| panic!("{type_name}"));
            for (handler, entry) in by_handler {
                assert!(
                    handlers.contains(&handler.as_str()),
                    "{type_name} {handler}"
                );
                let listed = &info.handlers[handler];
                for action in entry.unused.keys().chain(entry.when.keys()) {
                    assert!(listed.contains(action), "{type_name} {handler} {action}");
                }
                for action in entry.add.keys() {
                    assert!(!listed.contains(action), "{type_name} {handler} {action}");
                }
                let properties = info.shape["properties"].as_object().unwrap();
                for path in entry.when.values().chain(entry.add.values()).flatten() {
                    let first = path.split('/').next().unwrap();
                    assert!(
                        first == "*" || properties.contains_key(first),
                        "{type_name} {handler} {path}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_type_needs_a_pseudo_action() {
        for name in names() {
            let empty = Model::new();
            for change in [Change::Create(&empty), Change::Delete(&empty), Change::List] {
                for action in needed(name, change) {
                    assert!(!action.contains("REST."), "{name} {action}");
                }
            }
        }
    }

    #[test]
    fn a_plain_bucket_needs_little() {
        let plain = model(json!({"BucketName": "b"}));
        assert_eq!(
            needed("AWS::S3::Bucket", Change::Create(&plain)),
            ["s3:CreateBucket", "s3:ListBucket"]
        );
        let versioned = model(json!({
            "BucketName": "b", "VersioningConfiguration": {"Status": "Enabled"},
            "Tags": [{"Key": "a", "Value": "b"}],
        }));
        let actions = needed("AWS::S3::Bucket", Change::Create(&versioned));
        assert!(actions.contains(&"s3:PutBucketVersioning".to_owned()));
        assert!(actions.contains(&"s3:PutBucketTagging".to_owned()));
        assert!(!actions.contains(&"s3:DeleteObject".to_owned()));
    }

    #[test]
    fn attaching_and_detaching_are_told_apart() {
        let before = model(json!({"ManagedPolicyArns": ["a", "b"]}));
        let after = model(json!({"ManagedPolicyArns": ["b", "c"]}));
        let both = needed(
            "AWS::IAM::Role",
            Change::Update {
                before: &before,
                after: &after,
            },
        );
        assert!(both.contains(&"iam:AttachRolePolicy".to_owned()));
        assert!(both.contains(&"iam:DetachRolePolicy".to_owned()));
        let fewer = model(json!({"ManagedPolicyArns": ["a"]}));
        let detach = needed(
            "AWS::IAM::Role",
            Change::Update {
                before: &before,
                after: &fewer,
            },
        );
        assert!(!detach.contains(&"iam:AttachRolePolicy".to_owned()));
        assert!(detach.contains(&"iam:DetachRolePolicy".to_owned()));
    }

    #[test]
    fn tagging_a_database_is_not_modifying_it() {
        let before = model(json!({"DBInstanceIdentifier": "d", "DeletionProtection": true}));
        let mut tagged = before.clone();
        tagged.insert("Tags".into(), json!([{"Key": "a", "Value": "b"}]));
        let actions = needed(
            "AWS::RDS::DBInstance",
            Change::Update {
                before: &before,
                after: &tagged,
            },
        );
        assert!(actions.contains(&"rds:AddTagsToResource".to_owned()));
        assert!(!actions.contains(&"rds:ModifyDBInstance".to_owned()));
        let mut open = before.clone();
        open.insert("DeletionProtection".into(), json!(false));
        let actions = needed(
            "AWS::RDS::DBInstance",
            Change::Update {
                before: &before,
                after: &open,
            },
        );
        assert!(actions.contains(&"rds:ModifyDBInstance".to_owned()));
    }
}
