use landfall_model::Timestamp;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// How long approved work waits for an account that does not answer. An
/// approval is for now, not for whenever the account comes back.
const PATIENCE: i64 = 30 * 60 * 1000;

/// Since when the accounts of rollouts and destructions have been silent, by
/// their ids. Kept in memory: a
/// server that was down for an hour has not waited for anybody.
#[derive(Default)]
pub(crate) struct Silences {
    waits: Mutex<HashMap<String, Wait>>,
}

#[derive(Clone)]
pub(super) struct Wait {
    since: Timestamp,
    /// What the account, or the way to it, said last.
    pub(super) heard: Option<String>,
}

impl Wait {
    pub(super) fn is_too_long(&self, now: Timestamp) -> bool {
        now.millis_since(self.since) >= PATIENCE
    }
}

impl Silences {
    pub(super) fn go_on(&self, work: &str, now: Timestamp, heard: Option<String>) -> Wait {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that ended in another process.
        waits.retain(|_, wait| now.millis_since(wait.since) < 2 * PATIENCE);
        let wait = waits.entry(work.to_owned()).or_insert(Wait {
            since: now,
            heard: None,
        });
        if heard.is_some() {
            wait.heard = heard;
        }
        wait.clone()
    }

    pub(super) fn end(&self, work: &str) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.remove(work);
    }
}
