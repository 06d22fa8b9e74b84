//! Making one check: asked, answered, timed, told. What a denial means is each
//! cloud's own.

use super::{Check, Outcome};
use crate::{
    Clock, Entropy,
    connector::CheckSink,
    patience::{Patience, Transient},
};
use std::future::Future;

pub struct Question {
    id: String,
    title: String,
    asked: String,
}

impl Question {
    pub fn new(id: impl Into<String>, title: impl Into<String>, asked: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            asked: asked.into(),
        }
    }
}

/// What an answer means.
pub struct Found {
    pub outcome: Outcome,
    pub evidence: String,
    pub remedy: String,
}

impl Found {
    pub fn with(outcome: Outcome, evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            outcome,
            evidence: evidence.into(),
            remedy: remedy.into(),
        }
    }

    pub fn pass(evidence: impl Into<String>) -> Self {
        Self::with(Outcome::Pass, evidence, "")
    }

    pub fn warn(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::with(Outcome::Warn, evidence, remedy)
    }

    pub fn fail(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::with(Outcome::Fail, evidence, remedy)
    }

    pub fn skipped(evidence: impl Into<String>) -> Self {
        Self::with(Outcome::Skipped, evidence, "")
    }

    /// What is optional and was left out, with what would change that.
    pub fn left_out(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::with(Outcome::Skipped, evidence, remedy)
    }

    /// Trouble that says nothing of the grant.
    pub fn unanswered(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::with(Outcome::Unanswered, evidence, remedy)
    }

    pub fn propagating(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::with(Outcome::Propagating, evidence, remedy)
    }
}

#[derive(Clone, Copy)]
pub struct Recorder<'a> {
    pub clock: &'a dyn Clock,
    pub entropy: &'a dyn Entropy,
    pub sink: &'a dyn CheckSink,
}

impl<'a> Recorder<'a> {
    pub async fn record(&self, question: Question, answer: impl Future<Output = Found>) -> Check {
        let began = self.clock.now();
        let found = answer.await;
        self.timed(question, found, self.clock.now().millis_since(began))
    }

    /// A check that needs no asking.
    pub fn noted(&self, question: Question, found: Found) -> Check {
        self.timed(question, found, 0)
    }

    /// A check whose asking was done before, together with others'.
    pub fn timed(&self, question: Question, found: Found, millis: i64) -> Check {
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
    pub async fn patiently<T, E: Transient, F>(&self, ask: impl Fn() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.patience().ask(ask).await
    }

    pub fn patience(&self) -> Patience<'a> {
        Patience {
            clock: self.clock,
            entropy: self.entropy,
        }
    }
}
