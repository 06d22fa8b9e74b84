//! Giving the account of the key, for an hour, what making takes.

use super::{is_for_an_hour, member, title};
use crate::{
    connect::verify::{
        Found, Question, Run, binding, permissions,
        policy::{self, Of},
    },
    http::Session,
};
use landfall_model::{
    check::{Check, Outcome},
    driver::Failure,
    grant::GcpCondition,
};
use std::time::Duration;

const ROLES: [&str; 3] = [
    "roles/serviceusage.serviceUsageAdmin",
    "roles/iam.roleAdmin",
    "roles/iam.serviceAccountAdmin",
];

/// What is used of them.
const NEEDED: [&str; 12] = [
    "iam.roles.create",
    "iam.roles.get",
    "iam.roles.undelete",
    "iam.roles.update",
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.enable",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "iam.serviceAccounts.setIamPolicy",
    "serviceusage.operations.get",
    "serviceusage.services.enable",
    "serviceusage.services.get",
];

const HOUR: i64 = 3_600_000;

/// Seconds between looks for what was just bound: mostly it takes seconds, and
/// what takes minutes is gone on with at the next run.
const WAITS: [u64; 5] = [1, 2, 3, 5, 8];

pub(super) async fn check(run: &Run<'_>, session: &Session) -> Check {
    let question = Question::new(
        "gcp.setup-authorized",
        "The key's account has, for an hour, what the setup takes",
        format!(
            "testIamPermissions, and setIamPolicy of the project to bind {} until an hour from \
             now, if any is missing",
            ROLES.join(", ")
        ),
    );
    run.recorder
        .record(question, async {
            match authorize(run, session).await {
                Ok(found) => found,
                Err(failure) => binding::refused(run, &failure),
            }
        })
        .await
}

async fn authorize(run: &Run<'_>, session: &Session) -> Result<Found, Failure> {
    if lacking(run, session).await?.is_empty() {
        return Ok(Found::pass("it has everything already"));
    }
    let member = member(run);
    let until = run.recorder.clock.now().plus_millis(HOUR);
    let condition = GcpCondition {
        title: title(run),
        description: "Landfall sets itself up; ends by itself".to_owned(),
        expression: format!("request.time < timestamp('{}')", until.to_rfc3339()),
    };
    policy::edit(run, session, Of::Project, |bindings| {
        // Those of a run that was interrupted are about to end.
        let mut changed = policy::remove(bindings, &member, |one| is_for_an_hour(run, one));
        for role in ROLES {
            changed |= policy::add(bindings, role, &member, Some(&condition));
        }
        changed
    })
    .await?;
    for wait in WAITS {
        if lacking(run, session).await?.is_empty() {
            return Ok(Found::pass(format!(
                "bound {} to it until {until}",
                ROLES.join(", ")
            )));
        }
        run.recorder.clock.sleep(Duration::from_secs(wait)).await;
    }
    let lacking = lacking(run, session).await?;
    if lacking.is_empty() {
        return Ok(Found::pass(format!("bound until {until}")));
    }
    let lacking: Vec<&str> = lacking.iter().map(String::as_str).collect();
    Ok(Found::with(
        Outcome::Propagating,
        format!(
            "bound until {until}, and does not have {} yet",
            permissions::named(&lacking)
        ),
        "nothing yet: changes of IAM take about two minutes, sometimes more than seven",
    ))
}

async fn lacking(run: &Run<'_>, session: &Session) -> Result<Vec<String>, Failure> {
    let held = permissions::held_in_project(run, session, &NEEDED).await?;
    Ok(NEEDED
        .into_iter()
        .filter(|permission| !held.contains(*permission))
        .map(str::to_owned)
        .collect())
}
