//! Keeping a lease alive while its work is done.

use crate::engine::Engine;
use landfall_model::{store::StoreError, work::Lease};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Another worker has the work now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseLost;

/// Holds a lease and prolongs it.
pub struct Heartbeat {
    engine: Engine,
    lease: Mutex<Lease>,
}

impl Heartbeat {
    pub fn new(engine: &Engine, lease: Lease) -> Self {
        Self {
            engine: engine.clone(),
            lease: Mutex::new(lease),
        }
    }

    /// The lease as last prolonged.
    pub fn lease(&self) -> Lease {
        self.lock().clone()
    }

    /// Prolongs the lease until it is lost. Run it beside the work, and drop
    /// the work when it returns.
    pub async fn keep(&self) -> LeaseLost {
        let length = self.engine.policy.lease.length;
        let millis = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        loop {
            let lease = self.lease();
            let left = lease.until.millis_since(self.engine.now());
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
            // Two more chances if one beat meets a database that is busy.
            let wait = (left / 3).min(length / 3).max(Duration::from_millis(1));
            self.engine.clock.sleep(wait).await;
            let until = self.engine.now().plus_millis(millis);
            match self.engine.store.heartbeat(&lease, until).await {
                Ok(prolonged) => *self.lock() = prolonged,
                Err(StoreError::Fenced { work_id }) => {
                    tracing::warn!(%work_id, "the lease was taken over");
                    return LeaseLost;
                }
                Err(error) => {
                    tracing::warn!(%error, "a heartbeat failed");
                    if self.engine.now() >= lease.until {
                        return LeaseLost;
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
