//! What Azure's answers mean for a check.

use crate::error::may_settle;
use landfall_model::{
    check::{self, Found, Outcome},
    driver::Failure,
};
use std::ops::Deref;

/// For everything that is asked as the provisioner.
pub(super) fn no_session() -> Found {
    Found::skipped("not asked: nobody could sign in as the provisioner")
}

pub(super) struct Recorder<'a> {
    pub(super) checks: check::Recorder<'a>,
    pub(super) settling: Settling,
}

impl<'a> Deref for Recorder<'a> {
    type Target = check::Recorder<'a>;

    fn deref(&self) -> &Self::Target {
        &self.checks
    }
}

impl Recorder<'_> {
    /// What a failed call means for a check that needed it. `remedy` is for a
    /// refusal; it may be empty.
    pub(super) fn failed(&self, failure: &Failure, remedy: &str) -> Found {
        let remedy = if remedy.is_empty() {
            "make the grant again with the current script"
        } else {
            remedy
        };
        match failure.kind {
            kind if kind.is_retryable() => Found::with(
                Outcome::Unanswered,
                format!("not answered: {failure}"),
                "nothing yet: Landfall checks again in some minutes; if it stays, look at \
                 Azure's status page and at this server's network",
            ),
            _ if may_settle(failure, self.settling.seen()) => {
                self.denied(failure.to_string(), remedy)
            }
            _ => Found::fail(failure.to_string(), remedy),
        }
    }

    /// A denial, which counts only when Azure had the time to settle.
    pub(super) fn denied(&self, evidence: impl Into<String>, remedy: impl Into<String>) -> Found {
        if self.settling == Settling::No {
            Found::fail(evidence, remedy)
        } else {
            Found::propagating(
                evidence,
                "nothing yet: Azure may need up to ten minutes until a new role or federated \
                 credential works",
            )
        }
    }
}

/// Whether a denial may be Azure that has not caught up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settling {
    No,
    /// The grant was never seen to work.
    New,
    /// It was seen, and the time that it may need is not over.
    Seen,
}

impl Settling {
    fn seen(self) -> bool {
        self == Self::Seen
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::connect::verify) fn told(found: Found) -> (Outcome, String) {
        (found.outcome, found.evidence)
    }
}
