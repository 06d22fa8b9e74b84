//! The grant as the cloud has it, beside what the script makes.

use super::{super::Run, Read};
use crate::connect::reaper::{is_at, is_of, last_segment, role_named};
use landfall_model::{
    digest::Digest,
    grant::{
        AzureRole, Identity,
        azure::{VERSION_MARK, marked, object_id_of},
    },
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The grant as it is: of each role that should be there, what was found.
pub(super) struct Snapshot<'r> {
    roles: Vec<(&'r AzureRole, Option<Granted<'r>>)>,
    /// Other assignments of our identities.
    others: BTreeSet<String>,
}

/// One role, and its assignment to the identity that it is for.
pub(super) struct Granted<'r> {
    definition: &'r Value,
    assignment: Option<&'r Value>,
}

pub(super) fn snapshot<'r>(
    run: &Run<'r>,
    read: &'r Read,
    ids: &BTreeMap<Identity, String>,
) -> Snapshot<'r> {
    let roles: Vec<_> = run
        .expected_roles()
        .map(|role| {
            let definition = role_named(&read.roles, run.azure, role.identity);
            let id = ids.get(&role.identity);
            (role, definition.map(|one| Granted::of(run, read, one, id)))
        })
        .collect();
    let mut others = BTreeSet::new();
    for assignment in &read.assignments {
        let properties = &assignment["properties"];
        let principal = properties["principalId"].as_str().unwrap_or_default();
        for (identity, id) in ids {
            let own = role_named(&read.roles, run.azure, *identity);
            let granted =
                own.is_some_and(|own| is_of(assignment, own)) && is_at(assignment, &run.spec.scope);
            // In the wrong place it is told with its role.
            let told = roles.iter().any(|(_, found)| {
                let found = found.as_ref().and_then(|found| found.assignment);
                found.is_some_and(|found| std::ptr::eq(found, assignment))
            });
            if principal == id && !granted && !told {
                let role = last_segment(properties["roleDefinitionId"].as_str().unwrap_or("?"));
                others.insert(format!(
                    "the {} also has {} at {}",
                    identity.as_str(),
                    read.role_name(role),
                    properties["scope"].as_str().unwrap_or("?"),
                ));
            }
        }
    }
    Snapshot { roles, others }
}

fn texts(value: &Value) -> BTreeSet<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

impl<'r> Granted<'r> {
    /// The assignment where the script makes it, else one that is elsewhere.
    fn of(
        run: &Run<'_>,
        read: &'r Read,
        definition: &'r Value,
        principal: Option<&String>,
    ) -> Self {
        let all = || {
            read.assignments.iter().filter(|one| {
                let held_by = one["properties"]["principalId"].as_str();
                is_of(one, definition) && principal.is_some_and(|id| held_by == Some(id.as_str()))
            })
        };
        Self {
            definition,
            assignment: all()
                .find(|one| is_at(one, &run.spec.scope))
                .or_else(|| all().next()),
        }
    }
}

impl Granted<'_> {
    fn permission(&self, name: &str) -> BTreeSet<String> {
        let permissions = self.definition["properties"]["permissions"].as_array();
        permissions
            .into_iter()
            .flatten()
            .flat_map(|permission| texts(&permission[name]))
            .collect()
    }

    /// Without what Azure adds and changes by itself: ids, times, who did it.
    fn document(&self) -> Value {
        let assignment = self.assignment.map(|one| {
            let properties = &one["properties"];
            json!({
                "principal": properties["principalId"],
                "scope": properties["scope"],
                "condition": properties["condition"],
                "description": properties["description"],
            })
        });
        json!({
            "name": self.definition["properties"]["roleName"],
            "description": self.definition["properties"]["description"],
            "scopes": texts(&self.definition["properties"]["assignableScopes"]),
            "actions": self.permission("actions"),
            "not_actions": self.permission("notActions"),
            "data_actions": self.permission("dataActions"),
            "not_data_actions": self.permission("notDataActions"),
            "assignment": assignment,
        })
    }
}

impl Snapshot<'_> {
    pub(super) fn digest(&self) -> Option<Digest> {
        let roles: Vec<Value> = self
            .roles
            .iter()
            .map(|(role, found)| {
                json!({
                    "identity": role.identity,
                    "found": found.as_ref().map(Granted::document),
                })
            })
            .collect();
        Digest::of_json(&json!({ "roles": roles, "others": self.others })).ok()
    }

    /// The lowest version on any of the roles; `None` when one has none.
    pub(super) fn version(&self) -> Option<u32> {
        self.roles
            .iter()
            .map(|(_, found)| {
                let description =
                    found.as_ref()?.definition["properties"]["description"].as_str()?;
                marked(description, VERSION_MARK)?.parse().ok()
            })
            .min()
            .flatten()
    }

    pub(super) fn differences(&self, scope: &str, ids: &BTreeMap<Identity, String>) -> Vec<String> {
        let mut all: Vec<String> = self
            .roles
            .iter()
            .flat_map(|(role, found)| match found {
                None => vec![format!("there is no role {}", role.name)],
                Some(found) => found.differences(role, scope, ids),
            })
            .collect();
        all.extend(self.others.iter().cloned());
        all
    }
}

impl Granted<'_> {
    fn differences(
        &self,
        role: &AzureRole,
        scope: &str,
        ids: &BTreeMap<Identity, String>,
    ) -> Vec<String> {
        let name = &role.name;
        let mut all = Vec::new();
        let wanted: BTreeSet<String> = role.actions.iter().cloned().collect();
        let is = self.permission("actions");
        let list = |set: &mut dyn Iterator<Item = &String>| {
            set.map(String::as_str).collect::<Vec<_>>().join(", ")
        };
        let added = list(&mut is.difference(&wanted));
        if !added.is_empty() {
            all.push(format!("{name} also allows {added}"));
        }
        let removed = list(&mut wanted.difference(&is));
        if !removed.is_empty() {
            all.push(format!("{name} does not allow {removed}"));
        }
        let excluded: BTreeSet<String> = role.not_actions.iter().cloned().collect();
        for (what, says, wanted) in [
            ("notActions", "excludes", &excluded),
            ("dataActions", "allows the data actions", &BTreeSet::new()),
            (
                "notDataActions",
                "excludes the data actions",
                &BTreeSet::new(),
            ),
        ] {
            let is = self.permission(what);
            let more = list(&mut is.difference(wanted));
            if !more.is_empty() {
                all.push(format!("{name} {says} {more}"));
            }
        }
        let left_out = self.permission("notActions");
        let included = list(&mut excluded.difference(&left_out));
        if !included.is_empty() {
            all.push(format!("{name} does not exclude {included}"));
        }
        let scopes = texts(&self.definition["properties"]["assignableScopes"]);
        if !(scopes.len() == 1 && scopes.iter().all(|one| one.eq_ignore_ascii_case(scope))) {
            all.push(format!(
                "{name} can be assigned at {}",
                list(&mut scopes.iter())
            ));
        }
        match self.assignment {
            None => all.push(format!("{name} is not assigned to its application")),
            Some(assignment) => {
                let properties = &assignment["properties"];
                if !is_at(assignment, scope) {
                    all.push(format!(
                        "{name} is assigned at {}, not at {scope}",
                        properties["scope"].as_str().unwrap_or("?")
                    ));
                }
                let is = properties["condition"].as_str().map(normal);
                let wanted = role
                    .condition
                    .as_deref()
                    .map(|text| normal(&filled(text, ids)));
                if is != wanted {
                    all.push(format!(
                        "the condition of {name}'s assignment is not the generated one"
                    ));
                }
                let text = properties["description"].as_str().unwrap_or_default();
                if !text.starts_with(&role.assignment) {
                    all.push(format!(
                        "the assignment of {name} does not say whose it is in its description"
                    ));
                }
            }
        }
        all
    }
}

/// The condition with the object ids that Entra chose. Whoever is not there is
/// not named in it.
fn filled(condition: &str, ids: &BTreeMap<Identity, String>) -> String {
    let text = ids
        .iter()
        .fold(condition.to_owned(), |text, (identity, id)| {
            text.replace(object_id_of(*identity), id)
        });
    text.replace(&format!(", {}", object_id_of(Identity::Reaper)), "")
}

/// White space means nothing in a condition, nor does the case of ids.
fn normal(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_ascii_lowercase()
}
