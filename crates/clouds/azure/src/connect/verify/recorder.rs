//! Making one check: asked, answered, timed, told.

use crate::{connect::patience::Patience, error::may_settle};
use landfall_model::{
    Clock, Entropy,
    check::{Check, Outcome},
    connector::CheckSink,
    driver::Failure,
};
use std::future::Future;

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

    /// What is optional and was left out, with what would change that.
    pub(super) fn left_out(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::with(Outcome::Skipped, evidence, remedy)
    }

    /// Trouble that says nothing of the grant.
    pub(super) fn unanswered(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::with(Outcome::Unanswered, evidence, remedy)
    }

    /// For everything that is asked as the provisioner.
    pub(super) fn no_session() -> Self {
        Self::skipped("not asked: nobody could sign in as the provisioner")
    }

    pub(super) fn propagating(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::with(Outcome::Propagating, evidence, remedy)
    }

    fn with(outcome: Outcome, evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
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
    pub(super) settling: Settling,
    pub(super) sink: &'a dyn CheckSink,
}

impl Recorder<'_> {
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
        let patience = Patience {
            clock: self.clock,
            entropy: self.entropy,
        };
        patience.ask(ask).await
    }

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
