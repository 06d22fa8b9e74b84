//! The provisioner's sessions and drivers in use, by connection.

use crate::{driver::CloudControlDriver, session::RoleSession};
use landfall_model::{Timestamp, driver::Driver, id::ConnectionId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// From this many on, spent ones are looked for before another is added.
const MANY: usize = 1000;

struct Held {
    session: Arc<RoleSession>,
    /// By region.
    drivers: HashMap<String, Arc<CloudControlDriver>>,
}

#[derive(Default)]
pub(super) struct Sessions {
    held: Mutex<HashMap<ConnectionId, Held>>,
}

impl Sessions {
    pub(super) fn session(
        &self,
        id: &ConnectionId,
        now: Timestamp,
        make: impl FnOnce() -> RoleSession,
    ) -> Arc<RoleSession> {
        let mut held = self.lock();
        if let Some(entry) = held.get(id) {
            return entry.session.clone();
        }
        if held.len() >= MANY {
            held.retain(|_, entry| !entry.session.is_spent(now));
        }
        let session = Arc::new(make());
        held.insert(
            id.clone(),
            Held {
                session: session.clone(),
                drivers: HashMap::new(),
            },
        );
        session
    }

    /// The driver of one region; not kept when the session was forgotten
    /// meanwhile.
    pub(super) fn driver(
        &self,
        id: &ConnectionId,
        region: &str,
        make: impl FnOnce() -> CloudControlDriver,
    ) -> Arc<dyn Driver> {
        match self.lock().get_mut(id) {
            Some(entry) => entry
                .drivers
                .entry(region.to_owned())
                .or_insert_with(|| Arc::new(make()))
                .clone(),
            None => Arc::new(make()),
        }
    }

    pub(super) fn forget(&self, id: &ConnectionId) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Held>> {
        // A map is whole after any panic of a caller.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
