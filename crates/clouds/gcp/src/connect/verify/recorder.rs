//! Making one check: asked, answered, timed, told.

use crate::{connect::patience::Patience, error::SERVICE_DISABLED};
use landfall_model::{
    Clock, Entropy,
    check::{Check, Outcome},
    connector::CheckSink,
    driver::{Failure, FailureKind},
    grant::GcpIdentity,
};
use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
};

pub(super) struct Question {
    id: String,
    title: String,
    asked: String,
}

impl Question {
    pub(super) fn new(
        id: impl Into<String>,
        title: impl Into<String>,
        asked: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            asked: asked.into(),
        }
    }
}

/// What an answer means.
pub(super) struct Found {
    outcome: Outcome,
    evidence: String,
    remedy: String,
}

impl Found {
    pub(super) fn pass(evidence: impl Into<String>) -> Self {
        Self::with(Outcome::Pass, evidence, "")
    }

    pub(super) fn warn(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::with(Outcome::Warn, evidence, remedy)
    }

    pub(super) fn fail(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::with(Outcome::Fail, evidence, remedy)
    }

    pub(super) fn skipped(evidence: impl Into<String>) -> Self {
        Self::with(Outcome::Skipped, evidence, "")
    }

    /// For everything that is asked as somebody whom we could not act as.
    pub(super) fn no_session(identity: GcpIdentity) -> Self {
        Self::skipped(format!(
            "not asked: Landfall could not act as the {}",
            identity.as_str()
        ))
    }

    #[cfg(test)]
    pub(super) const fn outcome(&self) -> Outcome {
        self.outcome
    }

    pub(super) fn with(
        outcome: Outcome,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            outcome,
            evidence: evidence.into(),
            remedy: remedy.into(),
        }
    }
}

pub(super) struct Recorder<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) entropy: &'a dyn Entropy,
    /// Whether a denial may be IAM that has not caught up.
    settling: bool,
    /// Whether this run itself changed IAM.
    acted: AtomicBool,
    pub(super) sink: &'a dyn CheckSink,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        clock: &'a dyn Clock,
        entropy: &'a dyn Entropy,
        settling: bool,
        sink: &'a dyn CheckSink,
    ) -> Self {
        Self {
            clock,
            entropy,
            settling,
            acted: AtomicBool::new(false),
            sink,
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

    pub(super) async fn record(
        &self,
        question: Question,
        answer: impl Future<Output = Found>,
    ) -> Check {
        let began = self.clock.now();
        let found = answer.await;
        self.finish(question, found, self.clock.now().millis_since(began))
    }

    /// A check that needs no asking.
    pub(super) fn noted(&self, question: Question, found: Found) -> Check {
        self.finish(question, found, 0)
    }

    /// A check whose asking was done before, together with others'.
    pub(super) fn timed(&self, question: Question, found: Found, millis: i64) -> Check {
        self.finish(question, found, millis)
    }

    fn finish(&self, question: Question, found: Found, millis: i64) -> Check {
        let check = Check {
            id: question.id,
            title: question.title,
            outcome: found.outcome,
            asked: question.asked,
            evidence: found.evidence,
            remedy: found.remedy,
            millis: u64::try_from(millis).unwrap_or(0),
        };
        self.sink.finished(&check);
        check
    }

    /// Asks again while the cloud is busy or in trouble, for a while.
    pub(super) async fn patiently<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        self.patience().ask(ask).await
    }

    pub(super) fn patience(&self) -> Patience<'_> {
        Patience {
            clock: self.clock,
            entropy: self.entropy,
        }
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
