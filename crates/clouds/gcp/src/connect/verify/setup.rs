//! What the account of a key does before anybody can act as the accounts of the
//! grant: it makes them, and then gives away what it made them with.
//!
//! The customer gave it Project IAM Admin and nothing else. With that it gives
//! itself, for an hour, what making takes; switches on two APIs; makes roles,
//! accounts, trust and bindings; and in the end takes Project IAM Admin and the
//! rest away from itself in one write. Each step looks before it acts, so
//! whatever is interrupted is gone on with at the next run. If we die in the
//! middle for good, what it gave itself ends with the hour.

mod authorize;
mod make;
mod narrow;

use super::{Found, Question, Run, Sessions, grant::bindings_of, holds, permissions, project};
use crate::{
    connect::verify::policy::{self, Of},
    error::SERVICE_DISABLED,
    http::Session,
};
use landfall_model::{
    check::Check,
    connection::{GcpAccess, GcpConnection, State},
    driver::Failure,
    grant::GcpIdentity,
};
use serde_json::{Value, json};

const SET_POLICY: &str = "resourcemanager.projects.setIamPolicy";
pub(super) const PROJECT_IAM_ADMIN: &str = "roles/resourcemanager.projectIamAdmin";

/// What has to be made, and whether the account of the key may make it.
pub(super) struct Setup<'a> {
    pub(super) checks: Vec<Check>,
    /// As whom it is made.
    session: Option<&'a Session>,
    stand: Stand,
}

/// Where the account of the key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// This run makes what is missing.
    Makes { all_made: bool },
    /// It could set the project's policy, and is not asked to: the connection
    /// is in use, and nobody ran the setup again.
    Leaves,
    /// It may not set the project's policy.
    Narrow,
    /// That could not be seen.
    Unknown,
}

impl Setup<'_> {
    /// Who may see the project while the bootstrap may not yet.
    pub(super) fn observer(&self) -> Option<&Session> {
        self.session
            .filter(|_| matches!(self.stand, Stand::Makes { .. } | Stand::Leaves))
    }
}

/// Whether the account of a key could make what is missing.
pub(in crate::connect) async fn may_set_up(
    entry: &Session,
    connection: GcpConnection<'_>,
) -> Result<bool, Failure> {
    let path = format!("v3/projects/{}:testIamPermissions", connection.project_id());
    let body = json!({ "permissions": [SET_POLICY] });
    let answer = entry.ask("cloudresourcemanager", &path, &body).await?;
    Ok(answer["permissions"] == json!([SET_POLICY]))
}

/// The account of the key, as policies name it.
fn member(run: &Run<'_>) -> String {
    match run.connection.access() {
        GcpAccess::ServiceAccountKey {
            service_account, ..
        } => format!("serviceAccount:{service_account}"),
        // Only a connection by a key is set up like this.
        _ => String::new(),
    }
}

pub(super) async fn run<'s>(run: &Run<'_>, session: Option<&'s Session>) -> Setup<'s> {
    let mut checks = Vec::new();
    let (stand, check) = look(run, session).await;
    checks.push(check);
    let mut setup = Setup {
        checks,
        session,
        stand,
    };
    // What was made before is looked at like any other grant.
    if let (Stand::Makes { .. }, Some(session)) = (setup.stand, session) {
        let steps = make::all(run, session).await;
        setup.stand = Stand::Makes {
            all_made: steps.iter().all(holds),
        };
        setup.checks.extend(steps);
    }
    setup
}

/// What the account may, and so what this run does.
async fn look(run: &Run<'_>, session: Option<&Session>) -> (Stand, Check) {
    let question = Question::new(
        "gcp.setup-possible",
        "The key's account may set the grant up, or has done so",
        format!("projects.testIamPermissions of {SET_POLICY}, as the account of the key"),
    );
    let mut stand = Stand::Unknown;
    let check = run
        .recorder
        .record(question, async {
            let Some(session) = session else {
                return Found::skipped("not asked: the key was not accepted");
            };
            let asked = [SET_POLICY, "resourcemanager.projects.getIamPolicy"];
            match permissions::held_in_project(run, session, &asked).await {
                Ok(held) if held.len() == asked.len() => match wide(run, session).await {
                    Ok((found, is)) => {
                        stand = is;
                        found
                    }
                    Err(failure) => run.recorder.failed(&failure, ""),
                },
                Ok(_) => {
                    stand = Stand::Narrow;
                    narrow(run, session).await
                }
                Err(failure) if failure.code == SERVICE_DISABLED => run.recorder.denied(
                    failure.message.clone(),
                    project::manager_is_off(run.connection.project_id()),
                ),
                Err(failure) => run.recorder.failed(&failure, ""),
            }
        })
        .await;
    (stand, check)
}

/// It may set the policy. What was taken away while the connection is in use is
/// only made again when somebody ran the setup again, which gives Project IAM
/// Admin anew: else the customer could not take it away.
async fn wide(run: &Run<'_>, session: &Session) -> Result<(Found, Stand), Failure> {
    let policy = policy::read(run, session, Of::Project).await?;
    let given = bindings_of(&policy, &member(run))
        .iter()
        .any(|binding| binding == PROJECT_IAM_ADMIN);
    let in_use = matches!(
        run.connection.state,
        State::Connected { .. } | State::Degraded { .. }
    );
    Ok(if given {
        (
            Found::pass("it has Project IAM Admin: what is missing is made now"),
            Stand::Makes { all_made: false },
        )
    } else if in_use {
        (
            Found::pass("set up before; it may still set the project's policy, by another role"),
            Stand::Leaves,
        )
    } else {
        (
            Found::pass("it may set the project's policy, by another role than Project IAM Admin"),
            Stand::Makes { all_made: false },
        )
    })
}

/// It may not: as it should be when the grant is there.
async fn narrow(run: &Run<'_>, session: &Session) -> Found {
    let bootstrap = run
        .recorder
        .patiently(|| {
            run.connector
                .identity(session, run.connection, GcpIdentity::Bootstrap)
        })
        .await;
    match bootstrap {
        Ok(_) => Found::pass("set up before: it has nothing left to do so again"),
        Err(failure) if failure.kind.is_retryable() => run.recorder.failed(&failure, ""),
        Err(_) => run.recorder.denied(
            format!(
                "{} may neither set the policy of {} nor act as the bootstrap",
                run.grant.trusted(),
                run.connection.project_id()
            ),
            format!(
                "run the setup again: it gives the account Project IAM Admin \
                 ({PROJECT_IAM_ADMIN}) in the project {}, which Landfall takes away from it when \
                 everything is made. If the key is of an account in another project, check the \
                 project id",
                run.connection.project_id()
            ),
        ),
    }
}

/// Takes away from the account of the key what it made everything with.
pub(super) async fn narrow_down(run: &Run<'_>, setup: &Setup<'_>, sessions: &Sessions) -> Check {
    narrow::check(run, setup, sessions).await
}

/// Whether a binding is one that the account gave itself for an hour.
fn is_for_an_hour(run: &Run<'_>, binding: &Value) -> bool {
    binding["condition"]["title"] == title(run)
}

fn title(run: &Run<'_>) -> String {
    format!("landfall-setup-{}", run.connection.suffix())
}
