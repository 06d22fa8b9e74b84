//! What Google Cloud's answers mean for a check.

use crate::error::SERVICE_DISABLED;
use landfall_model::{
    check::{self, Found, Outcome},
    driver::{Failure, FailureKind},
    grant::GcpIdentity,
};
use std::{
    ops::Deref,
    sync::atomic::{AtomicBool, Ordering},
};

/// For everything that is asked as somebody whom we could not act as.
pub(super) fn no_session(identity: GcpIdentity) -> Found {
    Found::skipped(format!(
        "not asked: Landfall could not act as the {}",
        identity.as_str()
    ))
}

pub(super) struct Recorder<'a> {
    checks: check::Recorder<'a>,
    /// Whether a denial may be IAM that has not caught up.
    settling: bool,
    /// Whether this run itself changed IAM.
    acted: AtomicBool,
}

impl<'a> Deref for Recorder<'a> {
    type Target = check::Recorder<'a>;

    fn deref(&self) -> &Self::Target {
        &self.checks
    }
}

impl<'a> Recorder<'a> {
    pub(super) fn new(checks: check::Recorder<'a>, settling: bool) -> Self {
        Self {
            checks,
            settling,
            acted: AtomicBool::new(false),
        }
    }

    /// This run changed IAM itself: what is denied from now on may be that
    /// change, which has not settled.
    pub(super) fn acted(&self) {
        self.acted.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_acted(&self) -> bool {
        self.acted.load(Ordering::Relaxed)
    }

    pub(super) fn is_settling(&self) -> bool {
        self.settling || self.has_acted()
    }

    /// What a failed call means for a check that needed it. `remedy` is for a
    /// denial; it may be empty.
    pub(super) fn failed(&self, failure: &Failure, remedy: &str) -> Found {
        match failure.kind {
            FailureKind::Denied if failure.code == SERVICE_DISABLED && remedy.is_empty() => self
                .denied(
                    failure.message.clone(),
                    "check again: Landfall switches this API on; if that stays without effect, \
                     run the setup again",
                ),
            FailureKind::Denied | FailureKind::Unauthorized => self.denied(
                failure.to_string(),
                if remedy.is_empty() {
                    "run the setup again"
                } else {
                    remedy
                },
            ),
            kind if kind.is_retryable() => Found::with(
                Outcome::Unanswered,
                format!("Google Cloud did not answer this: {failure}"),
                "nothing yet: Landfall checks again in some minutes; if it stays, look at Google \
                 Cloud's status page and at this server's network",
            ),
            _ => Found::fail(
                format!("Google Cloud did not do this: {failure}"),
                "check again; if it stays, run the setup again",
            ),
        }
    }

    /// A denial, which counts only when IAM had the time to settle.
    pub(super) fn denied(&self, evidence: impl Into<String>, remedy: impl Into<String>) -> Found {
        if self.is_settling() {
            Found::with(
                Outcome::Propagating,
                evidence,
                "nothing yet: changes of IAM take about two minutes, sometimes more than seven",
            )
        } else {
            Found::fail(evidence, remedy)
        }
    }
}
