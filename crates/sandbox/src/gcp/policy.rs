//! Allow policies: who has which role, under which condition.

use super::cel;
use super::error::Refusal;
use crate::clock::WallTime;
use crate::rng::Rng;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The attribute that limits which roles a policy's editor may grant or take.
const MODIFIED: &str = "api.iam.googleapis.com/modifiedGrantsByRole";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Policy {
    /// Grows by one with every change; the etag is made of it.
    pub generation: u64,
    pub bindings: Vec<Binding>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Binding {
    pub role: String,
    pub members: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Condition {
    pub expression: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub description: String,
}

impl Binding {
    pub fn new(role: &str, member: &str) -> Self {
        Self {
            role: role.to_owned(),
            members: BTreeSet::from([member.to_owned()]),
            condition: None,
        }
    }

    /// Whether the condition lets this access through; `modified` are the
    /// roles that the access grants or takes. Conditions tell the time by the
    /// machine's clock, since who writes them does.
    pub fn applies(&self, modified: &BTreeSet<String>, now: WallTime) -> bool {
        let Some(condition) = &self.condition else {
            return true;
        };
        cel::parse(&condition.expression).is_ok_and(|expression| {
            expression.holds(&|path| match path.join(".").as_str() {
                MODIFIED => Some(json!(modified)),
                "request.time" => Some(cel::seconds(now.unix_seconds())),
                _ => None,
            })
        })
    }
}

impl Policy {
    pub fn of(bindings: Vec<Binding>) -> Self {
        Self {
            generation: 1,
            bindings,
        }
    }

    pub fn etag(&self) -> String {
        if self.generation == 0 {
            return "ACAB".to_owned();
        }
        let mut bytes = vec![0x07];
        bytes.extend_from_slice(&self.generation.to_be_bytes()[1..]);
        STANDARD.encode(bytes)
    }

    /// What a reader gets that asked for `version`: below 3, conditions are
    /// hidden and their bindings' roles are made unusable.
    pub fn render(&self, version: u64) -> Value {
        let conditional = self.bindings.iter().any(|b| b.condition.is_some());
        let bindings: Vec<Value> = self
            .bindings
            .iter()
            .map(|binding| {
                let mut shown = json!({ "role": binding.role, "members": binding.members });
                match &binding.condition {
                    Some(condition) if version >= 3 => shown["condition"] = json!(condition),
                    Some(condition) => {
                        let hash = Rng::seeded_for(0, &condition.expression).hex(20);
                        shown["role"] = json!(format!("{}_withcond_{hash}", binding.role));
                    }
                    None => {}
                }
                shown
            })
            .collect();
        let mut shown = json!({
            "version": if conditional && version >= 3 { 3 } else { 1 },
            "etag": self.etag(),
        });
        if !bindings.is_empty() {
            shown["bindings"] = json!(bindings);
        }
        shown
    }

    /// Reads a policy that a caller wants to have set.
    pub fn parse(body: &Value, current: &Self) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        struct In {
            #[serde(default)]
            version: u64,
            #[serde(default)]
            etag: Option<String>,
            #[serde(default)]
            bindings: Vec<InBinding>,
            #[serde(default)]
            #[expect(dead_code, reason = "accepted; audit logging is not simulated")]
            audit_configs: Vec<Value>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct InBinding {
            role: String,
            #[serde(default)]
            members: Vec<String>,
            #[serde(default)]
            condition: Option<Condition>,
        }
        let given: In = serde_json::from_value(body.clone())
            .map_err(|error| Refusal::invalid(format!("Invalid value at 'policy': {error}")))?;
        if let Some(etag) = given.etag.filter(|etag| !etag.is_empty())
            // The two alphabets of base 64 are both accepted for bytes.
            && etag.replace('-', "+").replace('_', "/") != current.etag()
        {
            return Err(Refusal::aborted(format!(
                "There were concurrent policy changes. Please retry the whole read-modify-write \
                 with exponential backoff. The request's ETag '{etag}' did not match the current \
                 policy's ETag '{}'.",
                current.etag()
            )));
        }
        let conditional = given.bindings.iter().any(|b| b.condition.is_some());
        if ![0, 1, 3].contains(&given.version) {
            return Err(Refusal::invalid("The policy version must be 1 or 3."));
        }
        let had = current.bindings.iter().any(|b| b.condition.is_some());
        if given.version < 3 && (conditional || had) {
            return Err(Refusal::invalid(
                "The policy contains conditions: a request must say version 3, in what it reads \
                 and in what it writes.",
            ));
        }
        let mut merged = Vec::<Binding>::new();
        for binding in given.bindings {
            for member in &binding.members {
                well_formed(member)?;
            }
            if let Some(condition) = &binding.condition {
                if super::roles::is_basic(&binding.role) {
                    return Err(Refusal::invalid(
                        "Conditions can't be set on primitive roles",
                    ));
                }
                cel::parse(&condition.expression).map_err(|error| {
                    Refusal::invalid(format!("Condition expression compilation failed: {error}"))
                })?;
                if condition.title.is_empty() {
                    return Err(Refusal::invalid("Condition title must be set."));
                }
            }
            let same = merged
                .iter_mut()
                .find(|b| b.role == binding.role && b.condition == binding.condition);
            match same {
                Some(known) => known.members.extend(binding.members),
                None => merged.push(Binding {
                    role: binding.role,
                    members: binding.members.into_iter().collect(),
                    condition: binding.condition,
                }),
            }
        }
        merged.retain(|binding| !binding.members.is_empty());
        merged.sort();
        Ok(Self {
            generation: current.generation + 1,
            bindings: merged,
        })
    }

    /// The roles whose bindings differ between two policies.
    pub fn modified(&self, other: &Self) -> BTreeSet<String> {
        let missing = |from: &Self, of: &Self| -> Vec<String> {
            from.bindings
                .iter()
                .filter(|binding| !of.bindings.contains(binding))
                .map(|binding| binding.role.clone())
                .collect()
        };
        missing(self, other)
            .into_iter()
            .chain(missing(other, self))
            .collect()
    }

    /// Members that this policy has and the other has not, with their roles.
    pub fn added<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.bindings.iter().flat_map(move |binding| {
            binding
                .members
                .iter()
                .filter(move |member| {
                    !before
                        .bindings
                        .iter()
                        .any(|b| b.role == binding.role && b.members.contains(*member))
                })
                .map(|member| (binding.role.as_str(), member.as_str()))
        })
    }

    /// Renames a member wherever it is named; says whether it was.
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        let mut renamed = false;
        for binding in &mut self.bindings {
            if binding.members.remove(from) {
                binding.members.insert(to.to_owned());
                renamed = true;
            }
        }
        self.generation += u64::from(renamed);
        renamed
    }
}

fn well_formed(member: &str) -> Result<(), Refusal> {
    const KINDS: [&str; 7] = [
        "user:",
        "serviceAccount:",
        "group:",
        "domain:",
        "deleted:",
        "principal://iam.googleapis.com/",
        "principalSet://iam.googleapis.com/",
    ];
    let known = KINDS.iter().any(|kind| {
        member
            .strip_prefix(kind)
            .is_some_and(|rest| !rest.is_empty())
    });
    if known || matches!(member, "allUsers" | "allAuthenticatedUsers") {
        Ok(())
    } else {
        Err(Refusal::invalid(format!(
            "The member {member} is of an unknown type. Please set a valid type prefix for the \
             member."
        )))
    }
}
