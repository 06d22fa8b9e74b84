//! Asking a cloud once more while it is busy or in trouble.

use crate::{
    Clock, Entropy,
    driver::{Failure, FailureKind},
};
use std::{future::Future, time::Duration};

/// Tries of a call that meets trouble; with the waits between them less than
/// six seconds, besides the answers' own time limits.
const TRIES: u32 = 5;
/// A busy account answers in the end, and a run of checks makes more than a
/// hundred calls: one that gives up early makes the whole connection look
/// broken.
const THROTTLED_TRIES: u32 = 10;
const FIRST_WAIT_MILLIS: u64 = 200;
const LONGEST_WAIT_MILLIS: u64 = 1600;

/// An error that may go away by itself.
pub trait Transient {
    fn failure(&self) -> &Failure;
}

impl Transient for Failure {
    fn failure(&self) -> &Failure {
        self
    }
}

#[derive(Clone, Copy)]
pub struct Patience<'a> {
    pub clock: &'a dyn Clock,
    pub entropy: &'a dyn Entropy,
}

impl Patience<'_> {
    /// `ask` is one call: of two in one question, each would have to be lucky
    /// in the same try.
    pub async fn ask<T, E: Transient, F>(&self, ask: impl Fn() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut wait = FIRST_WAIT_MILLIS;
        let mut tries = 1;
        loop {
            let answer = ask().await;
            let most = match answer.as_ref().map_err(|error| error.failure().kind) {
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
