//! Whether the accounts may do what they must, and may not what they must not:
//! asked of the project as each account itself, and of what is above it where the
//! grant is made there. A test sees inherited grants
//! and deny policies too, so it also finds what somebody bound elsewhere.

use super::{Found, Question, Run, Sessions, no_session};
use landfall_model::{
    check::Check,
    driver::Failure,
    grant::{GcpIdentity, GcpPermissionGroup, GcpPlace},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Permissions in one request (Google Cloud docs: "Testing permissions").
const BATCH: usize = 100;
/// Wrong answers that are named; the rest are counted.
const NAMED: usize = 5;

pub(super) async fn group(run: &Run<'_>, group: &GcpPermissionGroup, sessions: &Sessions) -> Check {
    let who = group.identity;
    let verb = if group.expect_allowed {
        "permissions"
    } else {
        "refused"
    };
    let asked_of = if group.above {
        run.grant.place()
    } else {
        GcpPlace::Project(run.connection.project_id())
    };
    let question = Question::new(
        format!("gcp.{verb}.{}", group.id),
        group.title.clone(),
        format!(
            "{}s.testIamPermissions of {} permissions as the {}",
            asked_of.noun(),
            group.permissions.len(),
            who.as_str()
        ),
    );
    run.recorder
        .record(question, async {
            let Some(session) = sessions.of(who) else {
                return no_session(who);
            };
            let asked: Vec<&str> = group.permissions.iter().map(String::as_str).collect();
            match held_in(run, session, asked_of, &asked).await {
                Ok(held) if group.expect_allowed => lacking(run, who, &asked, &held),
                Ok(held) => exceeding(who, &asked, &held),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

/// The ways to act as a service account, and to make a way.
const TO_BECOME: [&str; 8] = [
    "iam.serviceAccounts.actAs",
    "iam.serviceAccounts.getAccessToken",
    "iam.serviceAccounts.getOpenIdToken",
    "iam.serviceAccounts.implicitDelegation",
    "iam.serviceAccounts.setIamPolicy",
    "iam.serviceAccounts.signBlob",
    "iam.serviceAccounts.signJwt",
    "iam.serviceAccountKeys.create",
];

/// Asked of the reaper's account, which has a policy of its own.
pub(super) async fn cannot_become_reaper(
    run: &Run<'_>,
    who: GcpIdentity,
    sessions: &Sessions,
) -> Check {
    let reaper = run.connection.service_account_email("reaper");
    let question = Question::new(
        format!("gcp.refused.{}-no-reaper", who.as_str()),
        format!("The {} cannot act as the reaper", who.as_str()),
        format!("serviceAccounts.testIamPermissions of {reaper}"),
    );
    run.recorder
        .record(question, async {
            let Some(session) = sessions.of(who) else {
                return no_session(who);
            };
            let path = format!(
                "v1/projects/{}/serviceAccounts/{reaper}:testIamPermissions",
                run.connection.project_id()
            );
            match held(run, session, "iam", &path, &TO_BECOME).await {
                Ok(held) => exceeding(who, &TO_BECOME, &held),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

fn lacking(run: &Run<'_>, who: GcpIdentity, asked: &[&str], held: &BTreeSet<String>) -> Found {
    let wrong: Vec<&str> = asked
        .iter()
        .copied()
        .filter(|permission| !held.contains(*permission))
        .collect();
    if wrong.is_empty() {
        return Found::pass(format!("the {} has all {}", who.as_str(), asked.len()));
    }
    run.recorder.denied(
        format!("the {} lacks {}", who.as_str(), named(&wrong)),
        format!(
            "run the setup again: it writes the custom role of the {}; if it stays, a deny policy \
             of the organization takes these permissions away",
            who.as_str()
        ),
    )
}

/// An account that may too much does so now, settling or not.
fn exceeding(who: GcpIdentity, asked: &[&str], held: &BTreeSet<String>) -> Found {
    let wrong: Vec<&str> = held.iter().map(String::as_str).collect();
    if wrong.is_empty() {
        return Found::pass(format!("the {} has none of {}", who.as_str(), asked.len()));
    }
    Found::fail(
        format!("the {} may, but must not: {}", who.as_str(), named(&wrong)),
        format!(
            "somebody gave the {} another role, in the project or above it, or widened its custom \
             role: take that away (IAM & Admin → IAM, search for the account), and run the setup \
             again. As long as it stays, there are no two keys",
            who.as_str()
        ),
    )
}

pub(super) fn named(wrong: &[&str]) -> String {
    let mut text = wrong
        .iter()
        .take(NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if wrong.len() > NAMED {
        text.push_str(&format!(" and {} more", wrong.len() - NAMED));
    }
    text
}

/// Those of `asked` that whoever asks has on the project, in all.
pub(super) async fn held_in_project(
    run: &Run<'_>,
    session: &crate::http::Session,
    asked: &[&str],
) -> Result<BTreeSet<String>, Failure> {
    let project = GcpPlace::Project(run.connection.project_id());
    held_in(run, session, project, asked).await
}

async fn held_in(
    run: &Run<'_>,
    session: &crate::http::Session,
    place: GcpPlace<'_>,
    asked: &[&str],
) -> Result<BTreeSet<String>, Failure> {
    let path = format!("v3/{}:testIamPermissions", place.resource());
    held(run, session, "cloudresourcemanager", &path, asked).await
}

async fn held(
    run: &Run<'_>,
    session: &crate::http::Session,
    service: &str,
    path: &str,
    asked: &[&str],
) -> Result<BTreeSet<String>, Failure> {
    let mut held = BTreeSet::new();
    for some in asked.chunks(BATCH) {
        let body = json!({ "permissions": some });
        let answer = run
            .recorder
            .patiently(|| session.ask(service, path, &body))
            .await?;
        held.extend(
            answer["permissions"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned),
        );
    }
    Ok(held)
}
