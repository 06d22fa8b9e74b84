//! Values of which a new version counts later than it is written.

use super::Moment;
use crate::clock::SimTime;
use serde::{Deserialize, Serialize};

/// A value with what still counts in its place. Times are simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Versioned<T> {
    latest: T,
    effective_at: SimTime,
    /// Earlier values and from when each counts, oldest first.
    superseded: Vec<(SimTime, T)>,
}

impl<T: Clone> Versioned<T> {
    pub fn new(value: T, effective_at: SimTime) -> Self {
        Self {
            latest: value,
            effective_at,
            superseded: Vec::new(),
        }
    }

    /// What was written last, as reads show it.
    pub fn latest(&self) -> &T {
        &self.latest
    }

    /// What counts at `now`; nothing while even the first value is on its way.
    pub fn effective(&self, now: SimTime) -> Option<&T> {
        if self.effective_at <= now {
            return Some(&self.latest);
        }
        self.superseded
            .iter()
            .rev()
            .find(|(from, _)| *from <= now)
            .map(|(_, value)| value)
    }

    /// Whether a change is still on its way at `now`.
    pub fn is_propagating(&self, now: SimTime) -> bool {
        self.effective_at > now
    }

    /// Writes a value that counts from `at.effective_at`.
    pub fn set(&mut self, value: T, at: &Moment) {
        let earlier = std::mem::replace(&mut self.latest, value);
        self.superseded.push((self.effective_at, earlier));
        self.effective_at = at.effective_at;
        // Only the newest of those that count already can still be asked for.
        let counting = self
            .superseded
            .iter()
            .rposition(|(from, _)| *from <= at.now)
            .unwrap_or(0);
        self.superseded.drain(..counting);
        if self.effective_at <= at.now {
            self.superseded.clear();
        }
    }

    /// Writes a change made to a copy of the latest value.
    pub fn update(&mut self, at: &Moment, change: impl FnOnce(&mut T)) {
        let mut value = self.latest.clone();
        change(&mut value);
        self.set(value, at);
    }
}
