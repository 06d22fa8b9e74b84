//! The roles of each account: those of the grant, and no other.

use super::super::{Found, Question, Run, setup::PROJECT_IAM_ADMIN};
use super::read::{Snapshot, bindings_in, bindings_of, line};
use super::{name_of, unread};
use landfall_model::{
    driver::Failure,
    grant::{GcpAccount, GcpIdentity, GcpPlace},
};
use std::collections::BTreeSet;

pub(super) fn question(run: &Run<'_>, account: &GcpAccount) -> Question {
    let place = run.grant.place();
    let title = match (account.identity, place) {
        (GcpIdentity::Bootstrap, GcpPlace::Project(_)) => {
            "The bootstrap may bind the provisioner's role, and no other".to_owned()
        }
        (other, place) => format!(
            "The {} has its role in the {}, and no other",
            name_of(other),
            place.noun()
        ),
    };
    let policies = match place {
        GcpPlace::Project(_) => "the policy of the project".to_owned(),
        GcpPlace::Parent(parent) => format!(
            "the policies of {}, of the project, and of what is between them",
            parent.resource()
        ),
    };
    Question::new(
        format!("gcp.bindings-as-granted.{}", name_of(account.identity)),
        title,
        format!("the bindings of {} in {policies}", account.email),
    )
}

/// The bindings of an account, and how they differ from what was granted.
struct Compared {
    is: BTreeSet<String>,
    more: Vec<String>,
    less: Vec<String>,
}

fn compare<'s>(
    run: &Run<'_>,
    account: &GcpAccount,
    snapshot: &'s Snapshot,
) -> Result<Compared, &'s Failure> {
    let policy = snapshot.policy.as_ref()?;
    let below = snapshot.below.as_ref()?;
    let is: BTreeSet<String> = bindings_of(policy, &account.member()).into_iter().collect();
    let wanted: BTreeSet<String> = run
        .grant
        .bindings
        .iter()
        .filter(|binding| binding.identity == account.identity)
        .map(|binding| {
            let expression = binding.condition.as_ref().map(|c| c.expression.as_str());
            line(&binding.role, None, expression)
        })
        .collect();
    let mut more: Vec<String> = is.difference(&wanted).cloned().collect();
    more.extend(bindings_in(below, &account.member()));
    let less = wanted.difference(&is).cloned().collect();
    Ok(Compared { is, more, less })
}

/// That the bootstrap may set the project's policy is as it should be: how far
/// it may is said by the condition alone, and no test of permissions sees that.
pub(super) fn bootstrap_is_unconfined(run: &Run<'_>, snapshot: &Snapshot) -> bool {
    let admin = |binding: &String| binding.split(' ').next() == Some(PROJECT_IAM_ADMIN);
    run.grant
        .account(GcpIdentity::Bootstrap)
        .and_then(|account| compare(run, account, snapshot).ok())
        .is_some_and(|compared| compared.more.iter().any(admin))
}

pub(super) fn judge(run: &Run<'_>, account: &GcpAccount, snapshot: &Snapshot) -> Found {
    let Compared { is, more, less } = match compare(run, account, snapshot) {
        Ok(compared) => compared,
        Err(failure) => return unread(run, failure, "policy"),
    };
    if !more.is_empty() {
        // Whatever it is, it was not asked for; as long as it is there, nobody
        // has looked at what both together allow.
        return Found::fail(
            format!("it has besides: {}", more.join("; ")),
            format!(
                "take these bindings of {} away (IAM & Admin → IAM), and run the setup again",
                account.email
            ),
        );
    }
    if !less.is_empty() {
        return run.recorder.denied(
            format!("it lacks: {}", less.join("; ")),
            "run the setup again",
        );
    }
    Found::pass(is.into_iter().collect::<Vec<_>>().join("; "))
}
