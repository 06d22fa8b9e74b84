//! What AWS's answers mean for a check.

use landfall_model::{
    check::{self, Found, Outcome},
    driver::{Failure, FailureKind},
};
use std::ops::Deref;

/// For everything that is asked as the provisioner.
pub(super) fn no_session() -> Found {
    Found::skipped("not asked: the provisioner could not be assumed")
}

pub(super) struct Recorder<'a> {
    pub(super) checks: check::Recorder<'a>,
    /// Whether a denial may be IAM that has not caught up.
    pub(super) settling: bool,
}

impl<'a> Deref for Recorder<'a> {
    type Target = check::Recorder<'a>;

    fn deref(&self) -> &Self::Target {
        &self.checks
    }
}

impl Recorder<'_> {
    /// What a failed call means for a check that needed it. `remedy` is for a
    /// denial; it may be empty.
    pub(super) fn failed(&self, failure: &Failure, remedy: &str) -> Found {
        match failure.kind {
            FailureKind::Denied | FailureKind::Unauthorized => self.denied(
                failure.to_string(),
                if remedy.is_empty() {
                    "make the grant again from the current template"
                } else {
                    remedy
                },
            ),
            kind if kind.is_retryable() => Found::with(
                Outcome::Unanswered,
                format!("AWS did not answer this: {failure}"),
                "nothing yet: Landfall checks again in some minutes; if it stays, look at AWS's \
                 health page and at this server's network",
            ),
            _ => Found::fail(
                format!("AWS did not do this: {failure}"),
                "check again; if it stays, make the grant again from the current template",
            ),
        }
    }

    /// A denial, which counts only when IAM had the time to settle.
    pub(super) fn denied(&self, evidence: impl Into<String>, remedy: impl Into<String>) -> Found {
        if self.settling {
            Found::with(
                Outcome::Propagating,
                evidence,
                "nothing yet: AWS may need some minutes until a new role works",
            )
        } else {
            Found::fail(evidence, remedy)
        }
    }
}
