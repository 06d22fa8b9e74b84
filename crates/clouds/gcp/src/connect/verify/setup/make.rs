//! Roles, accounts, trust and bindings.

use super::authorize;
use crate::{
    connect::verify::{
        Found, Question, Run, binding, holds,
        policy::{self, Of},
        services,
    },
    http::Session,
};
use landfall_model::{
    check::Check,
    driver::{Failure, FailureKind},
    grant::{GcpAccount, GcpRole},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const BEFORE: &str = "not done: a step before this one was not done";

/// All steps, each after the one that it stands on.
pub(super) async fn all(run: &Run<'_>, session: &Session) -> Vec<Check> {
    let mut checks = vec![authorize::check(run, session).await];
    let mut state = Steps {
        session: Some(session),
    };
    state.after(&checks);
    checks.push(services::switch_on_first(run, state.session.ok_or(BEFORE)).await);
    state.after(&checks);
    let roles = run.grant.roles.iter().map(|one| role(run, &state, one));
    checks.extend(futures::future::join_all(roles).await);
    let accounts = run
        .grant
        .accounts
        .iter()
        .map(|one| account(run, &state, one));
    checks.extend(futures::future::join_all(accounts).await);
    state.after(&checks);
    let trusts = run.grant.accounts.iter().map(|one| trust(run, &state, one));
    checks.extend(futures::future::join_all(trusts).await);
    checks.push(bindings(run, &state).await);
    checks
}

/// As whom the next step is done, if all before it were.
struct Steps<'s> {
    session: Option<&'s Session>,
}

impl Steps<'_> {
    fn after(&mut self, checks: &[Check]) {
        if !checks.iter().all(holds) {
            self.session = None;
        }
    }

    async fn step(
        &self,
        run: &Run<'_>,
        question: Question,
        act: impl AsyncFnOnce(&Session) -> Result<String, Failure>,
    ) -> Check {
        run.recorder
            .record(question, async {
                let Some(session) = self.session else {
                    return Found::skipped(BEFORE);
                };
                match act(session).await {
                    Ok(evidence) => Found::pass(evidence),
                    Err(failure) => refused(run, &failure),
                }
            })
            .await
    }
}

fn refused(run: &Run<'_>, failure: &Failure) -> Found {
    if failure.message.contains("deleted state") || failure.message.contains("has been deleted") {
        return Found::fail(
            failure.message.clone(),
            "a custom role of this name was deleted more than a week ago, and Google keeps its \
             name for 37 days in all: wait until then, or disconnect and connect anew, which has \
             new names",
        );
    }
    if failure.kind == FailureKind::Quota || failure.message.contains("Maximum number") {
        return Found::fail(
            failure.message.clone(),
            "delete service accounts or custom roles that nobody uses, or ask Google for more \
             (console: IAM & Admin → Quotas & System Limits)",
        );
    }
    binding::refused(run, failure)
}

async fn role(run: &Run<'_>, steps: &Steps<'_>, role: &GcpRole) -> Check {
    let who = role.identity.as_str();
    let question = Question::new(
        format!("gcp.role-made.{who}"),
        format!("The custom role of the {who} is there"),
        format!(
            "iam roles.get of {}, and roles.create, undelete or patch as it takes",
            role.id
        ),
    );
    steps
        .step(run, question, async |session| {
            make_role(run, session, role).await
        })
        .await
}

async fn make_role(run: &Run<'_>, session: &Session, role: &GcpRole) -> Result<String, Failure> {
    let path = format!("v1/{}", role.name);
    let wanted = json!({
        "title": role.title,
        "description": role.description,
        "stage": "GA",
        "includedPermissions": role.permissions,
    });
    let read = run.recorder.patiently(|| session.get("iam", &path)).await;
    let (found, mut done) = match read {
        Ok(found) => (found, String::new()),
        Err(failure) if failure.kind == FailureKind::NotFound => {
            let all = format!("v1/projects/{}/roles", run.connection.project_id());
            let body = json!({ "roleId": role.id, "role": wanted });
            change(run, session, Method::POST, &all, &body).await?;
            run.recorder.acted();
            return Ok(format!("made {}", role.id));
        }
        Err(failure) => return Err(failure),
    };
    if found["deleted"] == true {
        let path = format!("{path}:undelete");
        change(run, session, Method::POST, &path, &json!({})).await?;
        run.recorder.acted();
        done.push_str("undeleted, ");
    }
    if done.is_empty() && is_as(&found, &wanted) {
        return Ok(format!("{} is as it should be", role.id));
    }
    let path = format!("{path}?updateMask=title,description,stage,includedPermissions");
    change(run, session, Method::PATCH, &path, &wanted).await?;
    run.recorder.acted();
    done.push_str("written again");
    Ok(format!("{} was {done}", role.id))
}

fn is_as(found: &Value, wanted: &Value) -> bool {
    let permissions = |role: &Value| -> BTreeSet<String> {
        role["includedPermissions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|permission| permission.as_str().map(str::to_owned))
            .collect()
    };
    ["title", "description", "stage"]
        .iter()
        .all(|field| found[*field] == wanted[*field])
        && permissions(found) == permissions(wanted)
}

async fn account(run: &Run<'_>, steps: &Steps<'_>, account: &GcpAccount) -> Check {
    let who = account.identity.as_str();
    let question = Question::new(
        format!("gcp.account-made.{who}"),
        format!("The service account of the {who} is there"),
        format!(
            "iam serviceAccounts.get of {}, and serviceAccounts.create or enable as it takes",
            account.email
        ),
    );
    steps
        .step(run, question, async |session| {
            make_account(run, session, account).await
        })
        .await
}

async fn make_account(
    run: &Run<'_>,
    session: &Session,
    account: &GcpAccount,
) -> Result<String, Failure> {
    let all = format!(
        "v1/projects/{}/serviceAccounts",
        run.connection.project_id()
    );
    let path = format!("{all}/{}", account.email);
    let read = run.recorder.patiently(|| session.get("iam", &path)).await;
    match read {
        Ok(found) if found["disabled"] == true => {
            let path = format!("{path}:enable");
            change(run, session, Method::POST, &path, &json!({})).await?;
            run.recorder.acted();
            Ok(format!("{} was disabled; enabled again", account.email))
        }
        Ok(_) => Ok(format!("{} is there", account.email)),
        Err(failure) if failure.kind == FailureKind::NotFound => {
            let body = json!({
                "accountId": account.id,
                "serviceAccount": {
                    "displayName": account.display_name,
                    "description": account.description,
                },
            });
            change(run, session, Method::POST, &all, &body).await?;
            run.recorder.acted();
            Ok(format!("made {}", account.email))
        }
        Err(failure) => Err(failure),
    }
}

/// A change that may be repeated: what exists by then was made by the try whose
/// answer got lost.
async fn change(
    run: &Run<'_>,
    session: &Session,
    method: Method,
    path: &str,
    body: &Value,
) -> Result<(), Failure> {
    let answer = run
        .recorder
        .patiently(|| async {
            session
                .change(method.clone(), "iam", path, body)
                .await
                .map_err(|mut failure| {
                    if failure.kind == FailureKind::Unknown {
                        failure.kind = FailureKind::Unavailable;
                    }
                    failure
                })
        })
        .await;
    match answer {
        Err(failure) if failure.kind == FailureKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

async fn trust(run: &Run<'_>, steps: &Steps<'_>, account: &GcpAccount) -> Check {
    let who = account.identity.as_str();
    let question = Question::new(
        format!("gcp.trust-made.{who}"),
        format!("The key's account may act as the {who}"),
        format!(
            "iam serviceAccounts.getIamPolicy of {}, and setIamPolicy if {} is not bound",
            account.email,
            run.grant.trust.role()
        ),
    );
    let member = super::member(run);
    steps
        .step(run, question, async |session| {
            let role = run.grant.trust.role();
            let of = Of::Account(&account.email);
            let bound = policy::edit(run, session, of, |bindings| {
                policy::add(bindings, role, &member, None)
            })
            .await?;
            Ok(if bound {
                format!("bound {role} on {}", account.email)
            } else {
                format!("{role} is bound on {}", account.email)
            })
        })
        .await
}

/// What the customer's script binds by the other methods.
async fn bindings(run: &Run<'_>, steps: &Steps<'_>) -> Check {
    let wanted: Vec<_> = run
        .grant
        .bindings
        .iter()
        .filter(|binding| !binding.by_bootstrap)
        .filter_map(|binding| {
            let account = run.grant.account(binding.identity)?;
            Some((binding, account.member()))
        })
        .collect();
    let question = Question::new(
        "gcp.bindings-made",
        "Bootstrap and reaper have their roles, within their conditions",
        format!(
            "the project's policy, and setIamPolicy if any of {} is not bound",
            wanted
                .iter()
                .map(|(binding, _)| binding.role.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        ),
    );
    steps
        .step(run, question, async |session| {
            let bound = policy::edit(run, session, Of::Project, |bindings| {
                let mut changed = false;
                for (binding, member) in &wanted {
                    let condition = binding.condition.as_ref();
                    changed |= policy::add(bindings, &binding.role, member, condition);
                }
                changed
            })
            .await?;
            let said = if bound { "bound" } else { "all are bound:" };
            let roles: Vec<&str> = wanted
                .iter()
                .map(|(binding, _)| binding.role.as_str())
                .collect();
            Ok(format!("{said} {}", roles.join(", ")))
        })
        .await
}
