//! A circuit breaker per connection: an account that does not answer costs its
//! own requests time, nobody else's, and not for long.

use landfall_model::{Timestamp, id::ConnectionId};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Timeouts in a row before it opens.
const THRESHOLD: u32 = 3;
const FIRST_PAUSE: i64 = 15_000;
const LONGEST_PAUSE: i64 = 300_000;

#[derive(Clone, Copy)]
struct State {
    failures: u32,
    open_until: Timestamp,
}

#[derive(Default)]
pub(crate) struct Breakers {
    /// Only connections that failed last time.
    states: Mutex<HashMap<ConnectionId, State>>,
}

impl Breakers {
    /// Until when it is open, if it is.
    pub(crate) fn open_until(
        &self,
        connection: &ConnectionId,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states
            .get(connection)
            .map(|state| state.open_until)
            .filter(|until| now < *until)
    }

    pub(crate) fn answered(&self, connection: &ConnectionId) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.remove(connection);
    }

    pub(crate) fn silent(&self, connection: &ConnectionId, now: Timestamp) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(connection.clone()).or_insert(State {
            failures: 0,
            open_until: now,
        });
        state.failures = state.failures.saturating_add(1);
        if let Some(beyond) = state.failures.checked_sub(THRESHOLD) {
            let pause = FIRST_PAUSE << beyond.min(8);
            state.open_until = now.plus_millis(pause.min(LONGEST_PAUSE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_model::Entropy;

    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn it_opens_after_three_silences_longer_each_time_and_closes_with_an_answer() {
        let at = Timestamp::from_millis;
        let connection = ConnectionId::at(at(0), &Zero);
        let breakers = Breakers::default();
        breakers.silent(&connection, at(0));
        breakers.silent(&connection, at(0));
        assert_eq!(breakers.open_until(&connection, at(0)), None);
        breakers.silent(&connection, at(0));
        assert_eq!(breakers.open_until(&connection, at(0)), Some(at(15_000)));
        assert_eq!(breakers.open_until(&connection, at(15_000)), None);
        breakers.silent(&connection, at(15_000));
        assert_eq!(
            breakers.open_until(&connection, at(15_001)),
            Some(at(45_000))
        );
        for _ in 0..50 {
            breakers.silent(&connection, at(0));
        }
        assert_eq!(breakers.open_until(&connection, at(0)), Some(at(300_000)));
        breakers.answered(&connection);
        assert_eq!(breakers.open_until(&connection, at(0)), None);
    }
}
