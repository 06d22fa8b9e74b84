//! One circuit breaker per connection: a grant that refuses us, or a cloud that
//! is down, is not asked without end.

use crate::policy::BreakerPolicy;
use landfall_model::{
    Clock, Timestamp,
    driver::{Failure, FailureKind},
    id::ConnectionId,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The code of a call that was not made because the cloud was silent.
const SILENT: &str = "ConnectionSilent";

/// Whether a call was not made because the cloud had been silent: the circuit is
/// open for longer than it is worth repeating the call.
pub fn is_silenced(failure: &Failure) -> bool {
    failure.code == SILENT
}

/// Shared by everything in the process that calls with a connection.
#[derive(Clone)]
pub struct Breakers {
    clock: Arc<dyn Clock>,
    policy: BreakerPolicy,
    /// Only connections whose last answer was a refusal or a trouble.
    circuits: Arc<Mutex<HashMap<ConnectionId, Circuit>>>,
}

#[derive(Default)]
struct Circuit {
    refusals: u32,
    troubles: u32,
    trouble_since: Option<Timestamp>,
    open: Option<Open>,
}

struct Open {
    /// Then one call may try.
    until: Timestamp,
    last: Failure,
}

impl Breakers {
    pub fn new(clock: Arc<dyn Clock>, policy: BreakerPolicy) -> Self {
        Self {
            clock,
            policy,
            circuits: Arc::default(),
        }
    }

    /// Forgets everything held against a connection: its checks just passed.
    pub fn reset(&self, connection: &ConnectionId) {
        self.lock().remove(connection);
    }

    /// Whether a call may be made; if not, what to say instead.
    pub(crate) fn admit(&self, connection: &ConnectionId) -> Result<(), Failure> {
        let now = self.clock.now();
        let mut circuits = self.lock();
        let Some(open) = circuits
            .get_mut(connection)
            .and_then(|circuit| circuit.open.as_mut())
        else {
            return Ok(());
        };
        if now >= open.until {
            // This caller is the probe; the others wait for what it finds.
            open.until = now.plus_millis(self.pause());
            return Ok(());
        }
        let (code, what) = match open.last.kind {
            FailureKind::Unauthorized => ("ConnectionRefused", "refused us"),
            _ => (SILENT, "did not answer"),
        };
        Err(Failure::new(
            open.last.kind,
            code,
            format!(
                "the account {what} many times in a row, so Landfall stopped asking; last: {}",
                open.last.message
            ),
        ))
    }

    /// Takes note of how a call went.
    pub(crate) fn observe(&self, connection: &ConnectionId, failure: Option<&Failure>) {
        let now = self.clock.now();
        let mut circuits = self.lock();
        let Some(failure) = failure.filter(|failure| counts(failure.kind)) else {
            circuits.remove(connection);
            return;
        };
        let circuit = circuits.entry(connection.clone()).or_default();
        let trips = if failure.kind == FailureKind::Unauthorized {
            circuit.refusals = circuit.refusals.saturating_add(1);
            circuit.refusals >= self.policy.refusals
        } else {
            circuit.troubles = circuit.troubles.saturating_add(1);
            let since = *circuit.trouble_since.get_or_insert(now);
            let outage = i64::try_from(self.policy.outage.as_millis()).unwrap_or(i64::MAX);
            circuit.troubles >= self.policy.troubles && now.millis_since(since) >= outage
        };
        if trips {
            circuit.open = Some(Open {
                until: now.plus_millis(self.pause()),
                last: failure.clone(),
            });
        }
    }

    fn pause(&self) -> i64 {
        i64::try_from(self.policy.pause.as_millis()).unwrap_or(i64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Circuit>> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A throttled, denied or invalid call was answered: the connection works.
fn counts(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Unauthorized | FailureKind::Unavailable | FailureKind::Unknown
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_model::Entropy;
    use std::{
        sync::atomic::{AtomicI64, Ordering},
        time::Duration,
    };

    #[derive(Default)]
    struct Hand(AtomicI64);
    #[async_trait::async_trait]
    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::SeqCst))
        }
        async fn sleep(&self, _: Duration) {}
    }
    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn setup() -> (Arc<Hand>, Breakers, ConnectionId, ConnectionId) {
        let clock = Arc::new(Hand::default());
        let breakers = Breakers::new(clock.clone(), BreakerPolicy::default());
        let id = |at| ConnectionId::at(Timestamp::from_millis(at), &Zero);
        (clock, breakers, id(1), id(2))
    }

    fn failure(kind: FailureKind) -> Failure {
        Failure::new(kind, "X", "x")
    }

    #[test]
    fn refusals_in_a_row_open_it_for_that_connection_and_one_probe_closes_it() {
        let (clock, breakers, bad, good) = setup();
        let refused = failure(FailureKind::Unauthorized);
        for _ in 0..3 {
            breakers.observe(&bad, Some(&refused));
        }
        assert!(breakers.admit(&bad).is_ok());
        breakers.observe(&bad, Some(&refused));
        let said = breakers.admit(&bad).unwrap_err();
        assert_eq!(said.kind, FailureKind::Unauthorized);
        assert!(breakers.admit(&good).is_ok());

        clock.0.fetch_add(30_000, Ordering::SeqCst);
        assert!(breakers.admit(&bad).is_ok(), "the probe");
        assert!(breakers.admit(&bad).is_err(), "the others wait");
        breakers.observe(&bad, None);
        assert!(breakers.admit(&bad).is_ok());
    }

    #[test]
    fn a_short_outage_does_not_open_it_and_an_answer_ends_the_count() {
        let (clock, breakers, id, _) = setup();
        let down = failure(FailureKind::Unavailable);
        for _ in 0..100 {
            breakers.observe(&id, Some(&down));
        }
        assert!(breakers.admit(&id).is_ok());
        breakers.observe(&id, Some(&failure(FailureKind::Denied)));
        clock.0.fetch_add(90_000, Ordering::SeqCst);
        breakers.observe(&id, Some(&down));
        assert!(breakers.admit(&id).is_ok());
        for _ in 0..20 {
            clock.0.fetch_add(6_000, Ordering::SeqCst);
            breakers.observe(&id, Some(&down));
        }
        assert!(breakers.admit(&id).is_err());
        breakers.reset(&id);
        assert!(breakers.admit(&id).is_ok());
    }
}
