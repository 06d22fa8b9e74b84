//! Allow policies: read, changed, and written back with the etag that they were
//! read with.

use super::Run;
use crate::http::Session;
use landfall_model::{
    driver::{Failure, FailureKind},
    grant::GcpCondition,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Somebody else may change a policy between our reading and our writing.
const TRIES: usize = 5;

/// Whose policy.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of<'a> {
    Project,
    /// A folder, an organization or a project, as Google's APIs name it.
    Node(&'a str),
    /// A service account of the project, by its address.
    Account(&'a str),
}

impl Of<'_> {
    fn service(self) -> &'static str {
        match self {
            Self::Project | Self::Node(_) => "cloudresourcemanager",
            Self::Account(_) => "iam",
        }
    }

    fn path(self, run: &Run<'_>, verb: &str) -> String {
        let project = run.connection.project_id();
        match self {
            Self::Project => format!("v3/projects/{project}:{verb}"),
            Self::Node(resource) => format!("v3/{resource}:{verb}"),
            Self::Account(email) => {
                format!("v1/projects/{project}/serviceAccounts/{email}:{verb}")
            }
        }
    }
}

/// A policy with its conditions.
pub(super) async fn read(run: &Run<'_>, session: &Session, of: Of<'_>) -> Result<Value, Failure> {
    let path = of.path(run, "getIamPolicy");
    let (path, body) = match of {
        Of::Project | Of::Node(_) => (path, json!({ "options": { "requestedPolicyVersion": 3 } })),
        Of::Account(_) => (
            format!("{path}?options.requestedPolicyVersion=3"),
            json!({}),
        ),
    };
    run.recorder
        .patiently(|| session.ask(of.service(), &path, &body))
        .await
}

/// Writes what `change` makes of the bindings; whether there was anything to
/// write. `change` answers whether it changed anything.
pub(super) async fn edit(
    run: &Run<'_>,
    session: &Session,
    of: Of<'_>,
    change: impl Fn(&mut Vec<Value>) -> bool + Send + Sync,
) -> Result<bool, Failure> {
    let mut acted = false;
    let edited = edit_beside(run, session, of, change, &mut acted).await;
    if acted {
        run.recorder.acted();
    }
    edited
}

/// The same beside other checks, whose denials are not softened by what is
/// written meanwhile: `acted` says whether anything may have been.
pub(super) async fn edit_beside(
    run: &Run<'_>,
    session: &Session,
    of: Of<'_>,
    change: impl Fn(&mut Vec<Value>) -> bool + Send + Sync,
    acted: &mut bool,
) -> Result<bool, Failure> {
    let path = of.path(run, "setIamPolicy");
    let mut last = None;
    for attempt in 0..TRIES {
        let mut policy = match read(run, session, of).await {
            Ok(policy) => policy,
            Err(failure) if is_new(&failure) && attempt + 1 < TRIES => {
                run.recorder.clock.sleep(Duration::from_secs(1)).await;
                last = Some(failure);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let mut bindings = policy["bindings"].as_array().cloned().unwrap_or_default();
        if !change(&mut bindings) {
            return Ok(false);
        }
        policy["bindings"] = json!(bindings);
        // Needed where any binding has a condition.
        policy["version"] = json!(3);
        let body = json!({ "policy": policy });
        let answer = run
            .recorder
            .patiently(|| session.change(Method::POST, of.service(), &path, &body))
            .await;
        match answer {
            Ok(_) => {
                *acted = true;
                return Ok(true);
            }
            // Lost or overtaken: read again, the etag says whether it was
            // written.
            Err(failure) if matches!(failure.kind, FailureKind::Busy | FailureKind::Unknown) => {
                *acted |= failure.kind == FailureKind::Unknown;
                last = Some(failure);
            }
            Err(failure) if is_new(&failure) && attempt + 1 < TRIES => {
                run.recorder.clock.sleep(Duration::from_secs(1)).await;
                last = Some(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(last.unwrap_or_else(|| {
        Failure::new(
            FailureKind::Busy,
            "ABORTED",
            "the policy was changed meanwhile",
        )
    }))
}

/// What was made a moment ago is not known everywhere at once.
fn is_new(failure: &Failure) -> bool {
    failure.kind == FailureKind::NotFound
        || (failure.kind == FailureKind::Invalid && failure.message.contains("does not exist"))
}

/// Puts a member into the binding of a role, unless it is there.
pub(super) fn add(
    bindings: &mut Vec<Value>,
    role: &str,
    member: &str,
    condition: Option<&GcpCondition>,
) -> bool {
    let condition = condition.map_or(Value::Null, |condition| json!(condition));
    let same = |binding: &&mut Value| {
        binding["role"] == role
            && binding["condition"]["expression"] == condition["expression"]
            && binding["condition"]["title"] == condition["title"]
    };
    match bindings.iter_mut().find(same) {
        Some(binding) => {
            let mut members = binding["members"].as_array().cloned().unwrap_or_default();
            if members.iter().any(|known| known == member) {
                return false;
            }
            members.push(json!(member));
            binding["members"] = json!(members);
        }
        None => {
            let mut binding = json!({ "role": role, "members": [member] });
            if !condition.is_null() {
                binding["condition"] = condition;
            }
            bindings.push(binding);
        }
    }
    true
}

/// Takes a member out of the bindings that `which` picks.
pub(super) fn remove(
    bindings: &mut Vec<Value>,
    member: &str,
    which: impl Fn(&Value) -> bool,
) -> bool {
    let mut removed = false;
    for binding in bindings.iter_mut() {
        if !which(binding) {
            continue;
        }
        if let Some(members) = binding["members"].as_array_mut() {
            let before = members.len();
            members.retain(|known| known != member);
            removed |= members.len() < before;
        }
    }
    bindings.retain(|binding| {
        binding["members"]
            .as_array()
            .is_some_and(|members| !members.is_empty())
    });
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_added_and_nothing_else_changes() {
        let conditional = json!({ "role": "r", "members": ["serviceAccount:a"], "condition": { "title": "t", "expression": "true" } });
        let mut bindings = vec![conditional.clone()];
        assert!(add(&mut bindings, "r", "serviceAccount:a", None));
        assert_eq!(bindings[0], conditional);
        assert_eq!(
            bindings[1],
            json!({ "role": "r", "members": ["serviceAccount:a"] })
        );
        assert!(!add(&mut bindings, "r", "serviceAccount:a", None));
        assert!(add(&mut bindings, "r", "serviceAccount:b", None));
        assert_eq!(
            bindings[1]["members"],
            json!(["serviceAccount:a", "serviceAccount:b"])
        );
        let other = GcpCondition {
            title: "t".into(),
            description: String::new(),
            expression: "false".into(),
        };
        assert!(add(&mut bindings, "r", "serviceAccount:a", Some(&other)));
        assert_eq!(bindings.len(), 3);
    }

    #[test]
    fn a_member_is_removed_and_the_others_stay() {
        let mut bindings = vec![
            json!({ "role": "r", "members": ["a", "b"] }),
            json!({ "role": "s", "members": ["a"] }),
            json!({ "role": "t", "members": ["a"] }),
        ];
        assert!(remove(&mut bindings, "a", |binding| binding["role"] != "t"));
        assert_eq!(
            bindings,
            [
                json!({ "role": "r", "members": ["b"] }),
                json!({ "role": "t", "members": ["a"] })
            ]
        );
        assert!(!remove(&mut bindings, "c", |_| true));
    }
}
