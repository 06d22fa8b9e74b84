//! The tables, as they are written down.

use landfall_model::grant::Identity;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

/// What was derived from the tables for each identity, by a name in them.
pub(super) type ByIdentity<T> = BTreeMap<Identity, BTreeMap<&'static str, T>>;

/// What a handler is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    Create,
    Read,
    Update,
    Delete,
    List,
}

impl Phase {
    /// Whose work it is: making is the provisioner's, deleting the reaper's,
    /// and both look before they act.
    pub(super) const fn is_of(self, identity: Identity) -> bool {
        match self {
            Self::Create | Self::Update | Self::List => matches!(identity, Identity::Provisioner),
            Self::Delete => matches!(identity, Identity::Reaper),
            Self::Read => true,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Handlers {
    pub(super) types: BTreeMap<String, BTreeMap<Phase, Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Overlay {
    #[serde(rename = "about")]
    _about: String,
    pub(super) groups: Vec<Group>,
    drop: Vec<Drop>,
    pub(super) add: Vec<Add>,
    pub(super) scopes: Vec<Scope>,
    /// What the provisioner is refused although the type has the property.
    pub(super) refused: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) types: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drop {
    actions: Vec<String>,
    /// Empty: of every type.
    #[serde(default)]
    types: Vec<String>,
    /// Empty: in every phase.
    #[serde(default)]
    phases: Vec<Phase>,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Add {
    /// For entries of no type: the group that they are checked in.
    #[serde(default)]
    pub(super) group: Option<String>,
    #[serde(default)]
    pub(super) types: Vec<String>,
    pub(super) identities: Vec<Identity>,
    pub(super) actions: Vec<String>,
    #[serde(rename = "reason")]
    _reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scope {
    pub(super) sid: String,
    /// The group that it is checked in; absent: that of each type.
    #[serde(default)]
    pub(super) group: Option<String>,
    /// Instead of the group's title, for a scope of several groups.
    #[serde(default)]
    pub(super) purpose: Option<String>,
    #[serde(rename = "why")]
    _why: String,
    pub(super) resources: Vec<String>,
    #[serde(default)]
    pub(super) condition: Option<Value>,
    /// Condition keys that a call within this scope carries.
    #[serde(default)]
    pub(super) context: BTreeMap<String, Vec<String>>,
    /// Absent: both.
    #[serde(default)]
    identities: Option<Vec<Identity>>,
    pub(super) actions: Vec<String>,
    /// Resources to simulate with.
    #[serde(default)]
    example: Vec<String>,
    /// The same, for actions on another kind of resource.
    #[serde(default)]
    examples: BTreeMap<String, Vec<String>>,
}

impl Scope {
    pub(super) fn is_for(&self, identity: Identity) -> bool {
        self.identities
            .as_ref()
            .is_none_or(|identities| identities.contains(&identity))
    }

    pub(super) fn examples_of(&self, action: &str) -> &[String] {
        self.examples.get(action).unwrap_or(&self.example)
    }

    /// Whether it allows on every resource.
    pub(super) fn is_wide(&self) -> bool {
        self.resources.iter().any(|resource| resource == "*")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refused {
    #[serde(rename = "type")]
    pub(super) type_name: String,
    /// Properties at the top; `*` for all of them.
    pub(super) properties: Vec<String>,
    pub(super) phases: Vec<Phase>,
    /// A tag with which the resource is not refused.
    #[serde(default)]
    pub(super) unless_tag: BTreeMap<String, String>,
    pub(super) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Denies {
    #[serde(rename = "about")]
    _about: String,
    pub(super) statements: Vec<Deny>,
    pub(super) regions: RegionDeny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deny {
    pub(super) sid: String,
    pub(super) identities: Vec<Identity>,
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "why")]
    _why: String,
    #[serde(default)]
    pub(super) actions: Vec<String>,
    #[serde(default)]
    pub(super) not_actions: Vec<String>,
    /// Empty: every resource.
    #[serde(default)]
    pub(super) resources: Vec<String>,
    #[serde(default)]
    pub(super) condition: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RegionDeny {
    pub(super) sid: String,
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "why")]
    _why: String,
    pub(super) actions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Boundary {
    #[serde(rename = "about")]
    _about: String,
    pub(super) purpose: String,
    pub(super) statements: Vec<BoundaryStatement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoundaryStatement {
    pub(super) sid: String,
    #[serde(default)]
    pub(super) effect: super::statement::Effect,
    #[serde(rename = "why")]
    _why: String,
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<String>,
    #[serde(default)]
    pub(super) condition: Option<Value>,
}

/// Questions that must be answered with no.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusals {
    #[serde(rename = "about")]
    _about: String,
    pub(super) groups: Vec<RefusalGroup>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefusalGroup {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) identity: Identity,
    pub(super) questions: Vec<Refusal>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    pub(super) actions: Vec<String>,
    pub(super) resource: String,
    #[serde(default)]
    pub(super) context: BTreeMap<String, Vec<String>>,
}

impl Overlay {
    fn drops(&self, type_name: &str, phase: Phase, action: &str) -> bool {
        self.drop.iter().any(|entry| {
            entry.actions.iter().any(|dropped| dropped == action)
                && (entry.types.is_empty() || entry.types.iter().any(|name| name == type_name))
                && (entry.phases.is_empty() || entry.phases.contains(&phase))
        })
    }
}

macro_rules! table {
    ($name:ident, $type:ty, $file:literal) => {
        pub(super) fn $name() -> &'static $type {
            static TABLE: OnceLock<$type> = OnceLock::new();
            TABLE.get_or_init(|| {
                serde_json::from_str(include_str!($file))
                    .expect(concat!($file, " is committed with the code that reads it"))
            })
        }
    };
}

table!(handlers, Handlers, "handlers.json");
table!(overlay, Overlay, "overlay.json");
table!(denies, Denies, "denies.json");
table!(boundary, Boundary, "boundary.json");
table!(refusals, Refusals, "refusals.json");

/// Every action that `identity` needs for a type, with what was dropped left
/// out and what was added put in.
pub(super) fn actions_of_type(
    type_name: &str,
    identity: Identity,
) -> Option<&'static [&'static str]> {
    // Derived once: it depends on the tables alone, and grants are derived at
    // every verification.
    static DERIVED: LazyLock<ByIdentity<Vec<&str>>> = LazyLock::new(|| {
        let of = |identity| {
            let types = handlers().types.iter();
            let derived = types.map(|(name, listed)| {
                let actions = derive_actions(name, listed, identity);
                (name.as_str(), actions)
            });
            (identity, derived.collect())
        };
        BTreeMap::from([of(Identity::Provisioner), of(Identity::Reaper)])
    });
    DERIVED.get(&identity)?.get(type_name).map(Vec::as_slice)
}

fn derive_actions(
    type_name: &str,
    listed: &'static BTreeMap<Phase, Vec<String>>,
    identity: Identity,
) -> Vec<&'static str> {
    let handled = listed
        .iter()
        .filter(|(phase, _)| phase.is_of(identity))
        .flat_map(|(phase, actions)| {
            actions
                .iter()
                .filter(|action| !overlay().drops(type_name, *phase, action))
        });
    let added = overlay()
        .add
        .iter()
        .filter(|entry| entry.identities.contains(&identity))
        .filter(|entry| entry.types.iter().any(|name| name == type_name))
        .flat_map(|entry| &entry.actions);
    let mut actions: Vec<&str> = handled.chain(added).map(String::as_str).collect();
    actions.sort_unstable();
    actions.dedup();
    actions
}

/// What `identity` needs whatever it works on, with the group of each.
pub(super) fn base_actions(
    identity: Identity,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    overlay()
        .add
        .iter()
        .filter(move |entry| entry.identities.contains(&identity))
        .filter_map(|entry| Some((entry.group.as_deref()?, &entry.actions)))
        .flat_map(|(group, actions)| actions.iter().map(move |action| (group, action.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drop_still_drops_something() {
        for entry in &overlay().drop {
            for action in &entry.actions {
                let hit = handlers().types.iter().any(|(type_name, phases)| {
                    phases.iter().any(|(phase, listed)| {
                        listed.contains(action)
                            && (entry.types.is_empty() || entry.types.contains(type_name))
                            && (entry.phases.is_empty() || entry.phases.contains(phase))
                    })
                });
                assert!(
                    hit,
                    "no handler lists {action} any more: take it out of overlay.json"
                );
            }
        }
    }

    #[test]
    fn every_scoped_action_is_needed_by_somebody() {
        for scope in &overlay().scopes {
            for action in &scope.actions {
                let needed = [Identity::Provisioner, Identity::Reaper]
                    .into_iter()
                    .filter(|identity| scope.is_for(*identity))
                    .any(|identity| {
                        base_actions(identity).any(|(_, known)| known == action)
                            || handlers().types.keys().any(|type_name| {
                                actions_of_type(type_name, identity)
                                    .is_some_and(|actions| actions.contains(&action.as_str()))
                            })
                    });
                assert!(needed, "{}: nobody needs {action}", scope.sid);
            }
        }
    }

    #[test]
    fn every_scoped_action_has_a_resource_to_simulate_with() {
        for scope in &overlay().scopes {
            for action in &scope.actions {
                assert!(
                    !scope.examples_of(action).is_empty(),
                    "{} {action}",
                    scope.sid
                );
            }
            for action in scope.examples.keys() {
                assert!(
                    scope.actions.contains(action),
                    "{}: {action} is not in it",
                    scope.sid
                );
            }
        }
    }

    #[test]
    fn every_type_is_in_one_group() {
        for type_name in handlers().types.keys() {
            let groups = overlay()
                .groups
                .iter()
                .filter(|group| group.types.contains(type_name))
                .count();
            assert_eq!(groups, 1, "{type_name}");
        }
    }
}
