//! Binding the provisioner's role, which the bootstrap may do and nothing else.

use super::{Found, Question, Run, Sessions};
use crate::http::Session;
use landfall_model::{
    check::{Check, Outcome},
    connection::State,
    driver::{Failure, FailureKind},
    grant::GcpIdentity,
};
use reqwest::Method;
use serde_json::{Value, json};

const MANAGER: &str = "cloudresourcemanager";
/// Somebody else may change the policy between our reading and our writing.
const TRIES: usize = 5;

pub(super) async fn provisioner(run: &Run<'_>, sessions: &Sessions) -> Check {
    let wanted = run
        .grant
        .bindings
        .iter()
        .find(|binding| binding.by_bootstrap);
    let question = Question::new(
        "gcp.provisioner-bound",
        "The provisioner has its role",
        format!(
            "the project's policy, and setIamPolicy if {} is not bound",
            wanted.map_or("the role", |binding| binding.role.as_str())
        ),
    );
    run.recorder
        .record(question, async {
            let Some(session) = &sessions.bootstrap else {
                return Found::no_session(GcpIdentity::Bootstrap);
            };
            let account = run.grant.account(GcpIdentity::Provisioner);
            let (Some(wanted), Some(account)) = (wanted, account) else {
                return Found::skipped("the grant has no such role");
            };
            match bind(run, session, &wanted.role, &account.member()).await {
                Ok(false) => Found::pass(format!("{} has {}", account.email, wanted.role)),
                // Before the first connecting, it is for us to bind.
                Ok(true) if matches!(run.connection.state, State::Connected { .. }) => Found::warn(
                    format!("{} had lost {}; bound again", account.email, wanted.role),
                    "if you took it away on purpose, take the bootstrap's access away too: \
                         the connection's page says how to revoke it",
                ),
                Ok(true) => Found::pass(format!("bound {} to {}", wanted.role, account.email)),
                Err(failure) => refused(run, &failure),
            }
        })
        .await
}

fn refused(run: &Run<'_>, failure: &Failure) -> Found {
    if failure.kind == FailureKind::Busy {
        return Found::with(
            Outcome::Unanswered,
            "somebody else changed the project's policy each time",
            "nothing yet: Landfall tries again in some minutes",
        );
    }
    if failure.message.contains("permitted customer")
        || failure.code.contains("allowedPolicyMember")
    {
        return Found::fail(failure.message.clone(), super::policies::SHARING);
    }
    if failure.kind == FailureKind::Invalid && failure.message.contains("does not exist") {
        return run.recorder.denied(
            failure.message.clone(),
            "run the setup again: the provisioner's custom role or account is missing",
        );
    }
    run.recorder.failed(
        failure,
        "run the setup again: the bootstrap's conditional Project IAM Admin is missing, or its \
         condition is another one",
    )
}

pub(super) async fn policy(run: &Run<'_>, session: &Session) -> Result<Value, Failure> {
    let path = format!("v3/projects/{}:getIamPolicy", run.connection.project_id());
    let body = json!({ "options": { "requestedPolicyVersion": 3 } });
    run.recorder
        .patiently(|| session.ask(MANAGER, &path, &body))
        .await
}

/// Whether the role had to be bound.
async fn bind(run: &Run<'_>, session: &Session, role: &str, member: &str) -> Result<bool, Failure> {
    let path = format!("v3/projects/{}:setIamPolicy", run.connection.project_id());
    let mut last = None;
    for _ in 0..TRIES {
        let policy = policy(run, session).await?;
        let Some(changed) = with(&policy, role, member) else {
            return Ok(false);
        };
        let body = json!({ "policy": changed });
        let answer = run
            .recorder
            .patiently(|| session.change(Method::POST, MANAGER, &path, &body))
            .await;
        match answer {
            Ok(_) => return Ok(true),
            // Lost or overtaken: read again, the etag says whether it was
            // written.
            Err(failure) if matches!(failure.kind, FailureKind::Busy | FailureKind::Unknown) => {
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

/// The policy with the binding in it, and with the etag that it was read with;
/// `None` when it is there. Everything else stays as it is.
fn with(policy: &Value, role: &str, member: &str) -> Option<Value> {
    let mut policy = policy.clone();
    let bindings = policy["bindings"].as_array().cloned().unwrap_or_default();
    let mut bindings = bindings;
    let ours = bindings
        .iter_mut()
        .find(|binding| binding["role"] == role && binding["condition"].is_null());
    match ours {
        Some(binding) => {
            let mut members = binding["members"].as_array().cloned().unwrap_or_default();
            if members.iter().any(|known| known == member) {
                return None;
            }
            members.push(json!(member));
            binding["members"] = json!(members);
        }
        None => bindings.push(json!({ "role": role, "members": [member] })),
    }
    policy["bindings"] = json!(bindings);
    // Needed where any binding has a condition, and ours has one.
    policy["version"] = json!(3);
    Some(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_added_and_nothing_else_changes() {
        let conditional = json!({ "role": "r", "members": ["serviceAccount:a"], "condition": { "title": "t", "expression": "true" } });
        let policy = json!({ "etag": "e", "version": 1, "bindings": [conditional], "auditConfigs": [{ "service": "allServices" }] });
        let changed = with(&policy, "r", "serviceAccount:a").unwrap();
        assert_eq!(changed["bindings"][0], conditional);
        assert_eq!(
            changed["bindings"][1],
            json!({ "role": "r", "members": ["serviceAccount:a"] })
        );
        assert_eq!(changed["etag"], "e");
        assert_eq!(changed["version"], 3);
        assert_eq!(changed["auditConfigs"], policy["auditConfigs"]);
        assert!(with(&changed, "r", "serviceAccount:a").is_none());
        let both = with(&changed, "r", "serviceAccount:b").unwrap();
        assert_eq!(
            both["bindings"][1]["members"],
            json!(["serviceAccount:a", "serviceAccount:b"])
        );
    }
}
