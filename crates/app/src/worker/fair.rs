use landfall_model::id::OrganizationId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How much of each organization's work runs in this process.
#[derive(Clone)]
pub(super) struct Turns {
    most: usize,
    taken: Arc<Mutex<HashMap<OrganizationId, usize>>>,
}

/// Gives its place back when dropped.
pub(super) struct Turn {
    turns: Turns,
    organization: OrganizationId,
}

impl Turns {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    /// `None` when the organization has as many running as it may.
    pub(super) fn take(&self, organization: &OrganizationId) -> Option<Turn> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(organization.clone()).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Turn {
            turns: self.clone(),
            organization: organization.clone(),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self
            .turns
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.organization) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.organization);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_model::{Entropy, Timestamp};

    struct Byte(u8);
    impl Entropy for Byte {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn one_organization_never_takes_all_turns() {
        let id = |byte| OrganizationId::at(Timestamp::from_millis(1), &Byte(byte));
        let (busy, quiet) = (id(1), id(2));
        let turns = Turns::new(2);
        let first = turns.take(&busy);
        let second = turns.take(&busy);
        assert!(first.is_some() && second.is_some());
        assert!(turns.take(&busy).is_none());
        assert!(turns.take(&quiet).is_some());
        drop(first);
        assert!(turns.take(&busy).is_some());
    }
}
