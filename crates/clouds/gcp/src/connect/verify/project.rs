//! What the project is: the one that was meant, alive, paid for, and where it
//! hangs.

use super::{Found, Question, Run, no_session};
use crate::{error::SERVICE_DISABLED, http::Session};
use landfall_model::{
    check::Check,
    connection::{GcpAccess, Parent, ProjectId},
    driver::{Failure, FailureKind},
    grant::GcpIdentity,
};
use serde_json::{Value, json};

/// `session` is whoever may see the project.
pub(super) async fn check(run: &Run<'_>, session: Option<&Session>) -> Vec<Check> {
    let (read, organization, parent) = futures::join!(
        identity(run, session),
        organization(run, session),
        parent(run, session)
    );
    let mut checks = read;
    checks.push(organization);
    checks.extend(parent);
    checks
}

/// One reading for two checks.
async fn identity(run: &Run<'_>, session: Option<&Session>) -> Vec<Check> {
    let id = run.connection.project_id();
    let mut read: Option<Result<Value, Failure>> = None;
    let matches = Question::new(
        "gcp.project-matches",
        "The project's id and number belong together",
        format!("cloudresourcemanager projects.get of {id}"),
    );
    let matches = run
        .recorder
        .record(matches, async {
            let Some(session) = session else {
                return no_session(GcpIdentity::Bootstrap);
            };
            let path = format!("v3/projects/{id}");
            let answer = run
                .recorder
                .patiently(|| session.get("cloudresourcemanager", &path))
                .await;
            let found = match &answer {
                Ok(project) => number(run, project),
                Err(failure) if failure.code == SERVICE_DISABLED => run
                    .recorder
                    .denied(failure.message.clone(), manager_is_off(id)),
                Err(failure) => run.recorder.failed(failure, &or_moved(run, PROJECT)),
            };
            read = Some(answer);
            found
        })
        .await;
    let active = Question::new(
        "gcp.project-active",
        "The project is active",
        format!("the state of {id}"),
    );
    let active = run.recorder.noted(
        active,
        match &read {
            Some(Ok(project)) => match project["state"].as_str() {
                Some("ACTIVE") => Found::pass("ACTIVE"),
                state => Found::fail(
                    format!("the project is {}", state.unwrap_or("in no known state")),
                    "restore the project (console: IAM & Admin → Manage resources → Resources \
                     pending deletion), or connect another one",
                ),
            },
            Some(Err(_)) => Found::skipped("not asked: the project could not be read"),
            None => no_session(GcpIdentity::Bootstrap),
        },
    );
    vec![matches, active]
}

const PROJECT: &str = "check the project id: it is neither the project's name nor its number. If \
     it is right, the setup ran in another project or with another Google account";

/// Who is granted a folder or an organization loses sight of a project that is
/// moved out of it.
fn or_moved(run: &Run<'_>, remedy: &str) -> String {
    match run.connection.parent() {
        None => remedy.to_owned(),
        Some(parent) => format!(
            "{remedy}. Or the project is no longer below {}: gcloud projects get-ancestors {} \
             shows what is above it; move it back, or connect again with what is above it now",
            parent.resource(),
            run.connection.project_id()
        ),
    }
}

/// Nobody can switch it on without seeing the project, which takes it.
pub(super) fn manager_is_off(project: &ProjectId) -> String {
    format!(
        "the Cloud Resource Manager API is off, by which the project is seen: somebody of the \
         project runs gcloud services enable cloudresourcemanager.googleapis.com \
         --project={project}, or opens APIs & Services → Library → Cloud Resource Manager API → \
         Enable in the console"
    )
}

fn number(run: &Run<'_>, project: &Value) -> Found {
    let name = project["name"].as_str().unwrap_or_default();
    let id = project["projectId"].as_str().unwrap_or_default();
    let number = name.strip_prefix("projects/").unwrap_or(name);
    if id != run.connection.project_id().as_str() {
        return Found::fail(
            format!("Google answered with the project {id}"),
            "disconnect, and connect again with the right project id",
        );
    }
    match run.connection.access() {
        GcpAccess::WorkloadIdentity {
            project_number: Some(entered),
        } if entered.as_str() != number => Found::fail(
            format!("{id} has the number {number}, and {entered} was entered"),
            format!("enter the project number {number}"),
        ),
        _ => Found::pass(format!("{id} is {number}")),
    }
}

pub(super) async fn billing(run: &Run<'_>, session: Option<&Session>) -> Check {
    let id = run.connection.project_id();
    let question = Question::new(
        "gcp.billing-attached",
        "A billing account is attached",
        format!("cloudbilling projects.getBillingInfo of {id}"),
    );
    run.recorder
        .record(question, async {
            let Some(session) = session else {
                return Found::skipped("not asked: the project's APIs could not be switched on");
            };
            let path = format!("v1/projects/{id}/billingInfo");
            match run
                .recorder
                .patiently(|| session.get("cloudbilling", &path))
                .await
            {
                Ok(info) if info["billingEnabled"] == true => Found::pass(format!(
                    "paid by {}",
                    info["billingAccountName"].as_str().unwrap_or("an account")
                )),
                Ok(_) => Found::fail(
                    "no billing account is attached, or the one that is was closed",
                    "attach one: console → Billing → Link a billing account. Most APIs cannot be \
                     switched on without it",
                ),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

/// The folder or organization that the grant is said to be on is really above
/// the project. Google shows the whole way up to whoever may see the project.
async fn organization(run: &Run<'_>, session: Option<&Session>) -> Check {
    let id = run.connection.project_id();
    let question = Question::new(
        "gcp.organization-visible",
        "The project is where it was said to be",
        format!("cloudresourcemanager projects.getAncestry of {id}"),
    );
    run.recorder
        .record(question, async {
            let Some(session) = session else {
                return no_session(GcpIdentity::Bootstrap);
            };
            match ancestry(run, session).await {
                Ok(names) => above(run.connection.parent(), &names),
                Err(failure) if failure.kind == FailureKind::Denied => run
                    .recorder
                    .denied(failure.to_string(), or_moved(run, ORGANIZATION)),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await
}

/// `folders/1`, `organizations/2`: what is above the project, nearest first.
pub(super) async fn ancestry(run: &Run<'_>, session: &Session) -> Result<Vec<String>, Failure> {
    let path = format!("v1/projects/{}:getAncestry", run.connection.project_id());
    let body = json!({});
    let answer = run
        .recorder
        .patiently(|| session.ask("cloudresourcemanager", &path, &body))
        .await?;
    Ok(names(&answer))
}

/// The folder or organization that is granted, as the bootstrap sees it.
async fn parent(run: &Run<'_>, session: Option<&Session>) -> Option<Check> {
    let parent = run.connection.parent()?;
    let resource = parent.resource();
    let noun = run.grant.place().noun();
    let question = Question::new(
        "gcp.parent-active",
        format!("The {noun} that is granted is there"),
        format!("cloudresourcemanager {noun}s.get of {resource}"),
    );
    let check = run
        .recorder
        .record(question, async {
            let Some(session) = session else {
                return no_session(GcpIdentity::Bootstrap);
            };
            let path = format!("v3/{resource}");
            match run
                .recorder
                .patiently(|| session.get("cloudresourcemanager", &path))
                .await
            {
                Ok(found) if found["state"] == "ACTIVE" => Found::pass(format!(
                    "{resource} is {}",
                    found["displayName"].as_str().unwrap_or("without a name")
                )),
                Ok(found) => Found::fail(
                    format!("{resource} is {}", found["state"]),
                    "restore it (console: IAM & Admin → Manage resources → Resources pending \
                     deletion), or connect another one",
                ),
                Err(failure) => run.recorder.failed(
                    &failure,
                    &format!(
                        "run the setup again: it binds the bootstrap's role on {resource}. If \
                         that stays without effect, {resource} is not what was meant, or it was \
                         deleted"
                    ),
                ),
            }
        })
        .await;
    Some(check)
}

/// The third of the troubles that customers really have.
const ORGANIZATION: &str = "\"Could not find Organization ID\": the grant is missing, or it was \
     made in another Google account or organization. Select the right account and organization \
     at the top of the console, and make it there";

fn names(answer: &Value) -> Vec<String> {
    answer["ancestor"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|ancestor| {
            let kind = ancestor["resourceId"]["type"].as_str()?;
            let id = ancestor["resourceId"]["id"].as_str()?;
            (kind != "project").then(|| format!("{kind}s/{id}"))
        })
        .collect()
}

fn above(wanted: Option<&Parent>, names: &[String]) -> Found {
    let shown = if names.is_empty() {
        "it is in no organization".to_owned()
    } else {
        format!("above it: {}", names.join(", "))
    };
    match wanted {
        Some(parent) if !is_above(parent, names) => Found::fail(
            format!("{parent} is not above the project; {shown}"),
            format!(
                "{ORGANIZATION}. If the project was moved, move it back, or connect again with \
                 what is above it now"
            ),
        ),
        _ => Found::pass(shown),
    }
}

fn is_above(parent: &Parent, names: &[String]) -> bool {
    names.contains(&parent.resource()) && names.contains(&parent.organization())
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_model::check::Outcome;

    #[test]
    fn a_parent_must_be_above_the_project() {
        let names = names(&json!({ "ancestor": [
            { "resourceId": { "type": "project", "id": "p" } },
            { "resourceId": { "type": "folder", "id": "1" } },
            { "resourceId": { "type": "organization", "id": "2" } },
        ] }));
        assert_eq!(names, ["folders/1", "organizations/2"]);
        assert_eq!(above(None, &[]).outcome, Outcome::Pass);
        let outcome =
            |parent: &str, names: &[String]| above(Some(&parent.parse().unwrap()), names).outcome;
        assert_eq!(outcome("organizations/2/folders/1", &names), Outcome::Pass);
        assert_eq!(outcome("organizations/2/folders/3", &names), Outcome::Fail);
        assert_eq!(outcome("organizations/4/folders/1", &names), Outcome::Fail);
        assert_eq!(outcome("organizations/2", &names), Outcome::Pass);
        assert_eq!(outcome("organizations/2", &[]), Outcome::Fail);
    }
}
