//! Two keys mean something only when the account of the key can give itself
//! nothing any more.

use super::{PROJECT_IAM_ADMIN, Setup, Stand, is_for_an_hour, member};
use crate::{
    connect::verify::{
        Found, Question, Run, Sessions, binding,
        grant::bindings_of,
        no_session, permissions,
        policy::{self, Of},
    },
    http::Session,
};
use landfall_model::{check::Check, driver::Failure, grant::GcpIdentity};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) async fn check(run: &Run<'_>, setup: &Setup<'_>, sessions: &Sessions) -> Check {
    let question = Question::new(
        "gcp.key-account-narrowed",
        "Two keys: the key's account can do nothing but act as Landfall's accounts",
        "the project's policy, setIamPolicy if the account has what the setup took, and \
         projects.testIamPermissions as the account",
    );
    run.recorder
        .record(question, async {
            let Some(session) = setup.session else {
                return Found::skipped("not asked: the key was not accepted");
            };
            let found = match setup.stand {
                Stand::Unknown => {
                    return Found::skipped("not asked: what the account may could not be seen");
                }
                Stand::Makes { all_made } if !all_made || !whole(run, sessions) => {
                    return Found::skipped(
                        "not yet: it is narrowed as soon as everything is made and lets this \
                         server in",
                    );
                }
                Stand::Makes { .. } => take_away(run, session).await,
                Stand::Leaves => left(run, session, session).await,
                Stand::Narrow => match &sessions.bootstrap {
                    Some(bootstrap) => left(run, session, bootstrap).await,
                    None => return no_session(GcpIdentity::Bootstrap),
                },
            };
            found.unwrap_or_else(|failure| binding::refused(run, &failure))
        })
        .await
}

/// Whether every account lets this server in: until then the account of the key
/// may have to mend something.
fn whole(run: &Run<'_>, sessions: &Sessions) -> bool {
    run.grant
        .accounts
        .iter()
        .all(|account| sessions.of(account.identity).is_some())
}

/// One write: if it gets lost, everything is as before and is done again.
async fn take_away(run: &Run<'_>, session: &Session) -> Result<Found, Failure> {
    let member = member(run);
    let of_the_setup = |binding: &Value| {
        is_for_an_hour(run, binding)
            || (binding["role"] == PROJECT_IAM_ADMIN && binding["condition"].is_null())
    };
    // Read before: afterwards it may not read any more.
    let mut left = policy::read(run, session, Of::Project).await?;
    policy::edit(run, session, Of::Project, |bindings| {
        policy::remove(bindings, &member, of_the_setup)
    })
    .await?;
    if let Some(bindings) = left["bindings"].as_array_mut() {
        bindings.retain(|binding| !of_the_setup(binding));
    }
    let left = bindings_of(&left, &member);
    Ok(if left.is_empty() {
        Found::pass(
            "two keys: yes. Project IAM Admin and what the setup took were taken away from it; it \
             has no role in the project",
        )
    } else {
        no(run, &format!("it also has {}", left.join(", ")))
    })
}

/// What it has left: by the project's policy, and in all.
async fn left(run: &Run<'_>, session: &Session, reader: &Session) -> Result<Found, Failure> {
    let policy = policy::read(run, reader, Of::Project).await?;
    let bound = bindings_of(&policy, &member(run));
    if !bound.is_empty() {
        return Ok(no(run, &format!("it has {}", bound.join(", "))));
    }
    let dangerous: BTreeSet<&str> = run
        .grant
        .permissions
        .iter()
        .filter(|group| !group.expect_allowed)
        .flat_map(|group| group.permissions.iter().map(String::as_str))
        .collect();
    let asked: Vec<&str> = dangerous.into_iter().collect();
    let held = permissions::held_in_project(run, session, &asked).await?;
    if held.is_empty() {
        return Ok(Found::pass(
            "two keys: yes. It has no role in the project, and nothing from above it",
        ));
    }
    let held: Vec<&str> = held.iter().map(String::as_str).collect();
    let said = format!(
        "from the folder or the organization above, or by a group, it has {}",
        permissions::named(&held)
    );
    // What was taken away a moment ago still shows.
    Ok(if run.recorder.is_settling() {
        run.recorder.denied(said, "")
    } else {
        no(run, &said)
    })
}

fn no(run: &Run<'_>, why: &str) -> Found {
    Found::warn(
        format!("two keys: no. {why}"),
        format!(
            "take these away from {} (IAM & Admin → IAM, search for the account): with them, the \
             key can give itself what the provisioner must not have. Or migrate this connection \
             to workload-identity, which needs no such account",
            run.grant.trusted()
        ),
    )
}
