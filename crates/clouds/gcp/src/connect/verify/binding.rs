//! The provisioner's role: in a project, the bootstrap may bind it and nothing
//! else; above one, the setup has bound it, and it is only looked for.

use super::{
    Found, Question, Run, Sessions,
    grant::bindings_of,
    no_session,
    policy::{self, Of},
    project,
};
use crate::{error::SERVICE_DISABLED, http::Session};
use landfall_model::{
    check::{Check, Outcome},
    connection::State,
    driver::{Failure, FailureKind},
    grant::{GcpAccount, GcpBinding, GcpIdentity},
};
use serde_json::Value;

/// The check, and whether it may have bound the role. It runs beside others:
/// that IAM was changed is for the caller to note when all of them are done.
pub(super) async fn provisioner(run: &Run<'_>, sessions: &Sessions) -> (Check, bool) {
    let mut acted = false;
    let role = run.grant.role(GcpIdentity::Provisioner);
    let wanted = run
        .grant
        .bindings
        .iter()
        .find(|binding| role.is_some_and(|role| role.name == binding.role));
    let by_us = wanted.is_some_and(|binding| binding.by_bootstrap);
    let named = wanted.map_or("the role", |binding| binding.role.as_str());
    let question = Question::new(
        "gcp.provisioner-bound",
        "The provisioner has its role",
        if by_us {
            format!("the project's policy, and setIamPolicy if {named} is not bound")
        } else {
            format!("the policy of {}", run.grant.place().resource())
        },
    );
    let check = run
        .recorder
        .record(question, async {
            let Some(session) = &sessions.bootstrap else {
                return no_session(GcpIdentity::Bootstrap);
            };
            let account = run.grant.account(GcpIdentity::Provisioner);
            let (Some(wanted), Some(account)) = (wanted, account) else {
                return Found::skipped("the grant has no such role");
            };
            if by_us {
                bind(run, session, account, wanted, &mut acted).await
            } else {
                look(run, session, account, wanted).await
            }
        })
        .await;
    (check, acted)
}

async fn bind(
    run: &Run<'_>,
    session: &Session,
    account: &GcpAccount,
    wanted: &GcpBinding,
    acted: &mut bool,
) -> Found {
    let member = account.member();
    let add = |bindings: &mut Vec<Value>| policy::add(bindings, &wanted.role, &member, None);
    let bound = policy::edit_beside(run, session, Of::Project, add, acted).await;
    match bound {
        Ok(false) => Found::pass(format!("{} has {}", account.email, wanted.role)),
        // Before the first connecting, it is for us to bind.
        Ok(true) if matches!(run.connection.state, State::Connected { .. }) => Found::warn(
            format!("{} had lost {}; bound again", account.email, wanted.role),
            "if you took it away on purpose, take the bootstrap's access away too: the \
             connection's page says how to revoke it",
        ),
        Ok(true) => Found::pass(format!("bound {} to {}", wanted.role, account.email)),
        Err(failure) if failure.code == SERVICE_DISABLED => manager_is_off(run, &failure),
        Err(failure) => refused(run, &failure),
    }
}

/// No setup mends that, and nothing was switched on yet.
fn manager_is_off(run: &Run<'_>, failure: &Failure) -> Found {
    run.recorder.denied(
        failure.message.clone(),
        project::manager_is_off(run.connection.project_id()),
    )
}

async fn look(
    run: &Run<'_>,
    session: &Session,
    account: &GcpAccount,
    wanted: &GcpBinding,
) -> Found {
    let place = run.grant.place().resource();
    match policy::read(run, session, Of::Node(&place)).await {
        Ok(policy) if bindings_of(&policy, &account.member()).contains(&wanted.role) => {
            Found::pass(format!("{} has {} on {place}", account.email, wanted.role))
        }
        Ok(_) => run.recorder.denied(
            format!("{} lacks {} on {place}", account.email, wanted.role),
            "run the setup again: it binds the role. Landfall cannot: none of its accounts may \
             change who has which role there",
        ),
        Err(failure) if failure.code == SERVICE_DISABLED => manager_is_off(run, &failure),
        Err(failure) => run.recorder.failed(&failure, ""),
    }
}

/// Why a policy was not written.
pub(super) fn refused(run: &Run<'_>, failure: &Failure) -> Found {
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
