//! Asking once more while the cloud is busy or in trouble.

use landfall_model::{
    Clock, Entropy,
    driver::{Failure, FailureKind},
};
use std::{future::Future, time::Duration};

/// Tries of a call that meets trouble; with the waits between them less than
/// six seconds, besides the answers' own time limits.
const TRIES: u32 = 5;
/// A busy account answers in the end, and a run of checks makes dozens of
/// calls: one that gives up early makes the whole connection look
/// broken.
const THROTTLED_TRIES: u32 = 10;
const FIRST_WAIT_MILLIS: u64 = 200;
const LONGEST_WAIT_MILLIS: u64 = 1600;

#[derive(Clone, Copy)]
pub(crate) struct Patience<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) entropy: &'a dyn Entropy,
}

impl Patience<'_> {
    /// `ask` is one call: of two in one question, each would have to be lucky
    /// in the same try.
    pub(crate) async fn ask<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut wait = FIRST_WAIT_MILLIS;
        let mut tries = 1;
        loop {
            let answer = ask().await;
            let most = match answer.as_ref().map_err(|failure| failure.kind) {
                Err(FailureKind::Throttled) => THROTTLED_TRIES,
                Err(FailureKind::Unavailable) => TRIES,
                _ => return answer,
            };
            if tries >= most {
                return answer;
            }
            let jittered = wait + self.entropy.below(wait);
            self.clock.sleep(Duration::from_millis(jittered)).await;
            wait = (wait * 2).min(LONGEST_WAIT_MILLIS);
            tries += 1;
        }
    }
}
