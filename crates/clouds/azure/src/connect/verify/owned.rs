//! That the connection is its organization's: asked before anything else of a
//! subscription that is entered as the operator's application.

use super::{Found, Question, Run, above, holds, no_session, subscription};
use crate::{
    client::Session,
    connect::{
        guide::place,
        ownership::{self, Ownership},
    },
};
use landfall_model::{check::Check, driver::FailureKind, grant::azure::CONNECTION_MARK};

pub(super) struct Findings {
    /// With those of the subscription, where it is not asked on.
    pub(super) checks: Vec<Check>,
    pub(super) proven: bool,
    pub(super) refused: bool,
}

fn question(run: &Run<'_>) -> Question {
    Question::new(
        "azure.ownership-proven",
        format!(
            "Whoever made this connection may assign roles in the {}",
            run.scope()
        ),
        format!(
            "the role assignments of this server's application that count in {}, for \
             {CONNECTION_MARK}{}",
            run.subscription(),
            run.azure.external_id
        ),
    )
}

pub(super) fn skip(run: &Run<'_>) -> Check {
    run.recorder.noted(question(run), no_session())
}

pub(super) async fn check(run: &Run<'_>, session: &Session<'_>) -> Findings {
    let patience = run.recorder.patience();
    let answer = ownership::look(session, run.azure, Some(patience)).await;
    let failure = match answer {
        Ok(Ownership::Proven(role)) => {
            let found = Found::pass(format!(
                "the assignment of {role} carries this connection's mark"
            ));
            return Findings {
                checks: vec![run.recorder.noted(question(run), found)],
                proven: true,
                refused: false,
            };
        }
        Ok(Ownership::Unproven(why)) => {
            let found = run.recorder.denied(
                format!("{why}: that the application may enter says nothing of who asks"),
                remedy(run),
            );
            let mut checks = vec![run.recorder.noted(question(run), found)];
            // Not even the subscription's name is told to whoever may be
            // somebody else.
            let why = "not asked: it is not proven whose subscription this is";
            checks.extend(subscription::skip_for(run, why));
            checks.extend(above::skip(run, why));
            return Findings {
                checks,
                proven: false,
                refused: true,
            };
        }
        Err(failure) => failure,
    };
    // Without any role in it the subscription says why, and nothing else.
    let denied = matches!(
        failure.kind,
        FailureKind::Denied | FailureKind::Unauthorized | FailureKind::NotFound
    );
    let found = if denied {
        Found::skipped("not asked: only who has a role in a subscription sees its assignments")
    } else {
        run.recorder.failed(&failure, "")
    };
    let own = run.recorder.noted(question(run), found);
    let seen = subscription::refused(run, &failure);
    let above = if denied {
        above::unseen(run, session, &failure).await
    } else {
        above::skip(
            run,
            "not asked: it is not proven whose subscription this is",
        )
    };
    Findings {
        proven: holds(&own),
        refused: seen.refused,
        checks: std::iter::once(own)
            .chain(seen.checks)
            .chain(above)
            .collect(),
    }
}

fn remedy(run: &Run<'_>) -> String {
    format!(
        "run the script, or write {CONNECTION_MARK}{} into the description of the application's \
         role assignment at {}: {} → Access control (IAM) → Role assignments",
        run.azure.external_id,
        run.spec.scope,
        place(run.azure)
    )
}
