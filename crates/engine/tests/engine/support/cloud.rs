//! A cloud in memory, with the semantics that the engine must survive: slow
//! operations, tokens that are honoured for 36 hours and then forgotten,
//! refusals, lost answers, failures that leave something behind, reads that lag.

mod account;

pub use account::Held;

use super::{
    memory::MemoryStore,
    sim::{Killer, Seeded, SimClock},
};
use account::{Effect, Inner, Trap};
use async_trait::async_trait;
use landfall_model::{
    Clock, Timestamp,
    driver::{
        AttemptToken, Driver, Failure, FailureKind, Observed, OperationId, PatchOperation, Progress,
    },
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Create,
    Update,
    Delete,
    Poll,
    Read,
    List,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub verb: Verb,
    pub type_name: String,
    pub token: Option<AttemptToken>,
}

/// What goes wrong, once, with the next call or operation that fits.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The call is refused before it has any effect.
    Refuse(Failure),
    /// The call is accepted; its answer never arrives.
    LoseAnswer,
    /// The operation fails. `leaves`: the resource is there all the same (for
    /// an update: changed), and the failure names it.
    FailOperation { failure: Failure, leaves: bool },
    /// The same, but the failure does not name what it left.
    LeaveUnnamed(Failure),
    /// Like `leaves`, and one property was not set yet.
    LeavePartial { failure: Failure, without: String },
    /// A read says once that there is nothing.
    Overlook,
    /// The operation never ends.
    NeverEnds,
    /// The cloud does not know the operation any more when it is polled.
    ForgetOperation,
}

pub struct Cloud {
    inner: Mutex<Inner>,
    clock: Arc<SimClock>,
    killer: Arc<Killer>,
    /// Checked at each mutation: was its intent committed?
    journal: Option<Arc<MemoryStore>>,
    noise: Arc<Seeded>,
    /// Percent of calls that end in the cloud's own trouble, half of them after
    /// the call was accepted.
    pub trouble: std::sync::atomic::AtomicU64,
    /// How long after its creation a read or list shows a resource.
    pub lag_millis: i64,
}

pub fn failure(kind: FailureKind) -> Failure {
    Failure::new(
        kind,
        format!("{kind:?}"),
        format!("the cloud says {kind:?}"),
    )
}

impl Cloud {
    pub fn new(
        clock: Arc<SimClock>,
        killer: Arc<Killer>,
        journal: Option<Arc<MemoryStore>>,
        seed: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            clock,
            killer,
            journal,
            noise: Seeded::new(seed ^ 0xc10d),
            trouble: Default::default(),
            lag_millis: 700,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap();
        inner.settle(self.clock.now());
        inner
    }

    pub fn fault(&self, verb: Verb, type_name: &str, fault: Fault) {
        self.fault_after(0, verb, type_name, fault);
    }

    /// The same for the one after `spare` others.
    pub fn fault_after(&self, spare: usize, verb: Verb, type_name: &str, fault: Fault) {
        let trap = Trap {
            verb,
            type_name: type_name.to_owned(),
            fault,
            spare,
        };
        self.inner.lock().unwrap().faults.push(trap);
    }

    /// Everything works again, and what hung comes to its end.
    pub fn heal(&self) {
        self.trouble.store(0, std::sync::atomic::Ordering::SeqCst);
        let mut inner = self.inner.lock().unwrap();
        inner.faults.clear();
        for operation in inner.operations.values_mut() {
            operation.fault = None;
        }
    }

    pub fn throttle_for(&self, millis: i64) {
        self.inner.lock().unwrap().throttled_until = self.clock.now().plus_millis(millis);
    }

    pub fn refuse_credentials(&self, refuse: bool) {
        self.inner.lock().unwrap().unauthorized = refuse;
    }

    /// Something that was there before, or that somebody else made.
    pub fn plant(&self, type_name: &str, identifier: &str, properties: Value, foreign: bool) {
        let held = Held {
            properties,
            appears: Timestamp::default(),
            foreign,
        };
        let key = (type_name.to_owned(), identifier.to_owned());
        self.inner.lock().unwrap().held.insert(key, held);
    }

    /// Deleted by hand.
    pub fn uproot(&self, type_name: &str, identifier: &str) {
        let key = (type_name.to_owned(), identifier.to_owned());
        self.inner.lock().unwrap().held.remove(&key);
    }

    pub fn uproot_all(&self, type_name: &str) {
        let mut inner = self.inner.lock().unwrap();
        inner.held.retain(|(other, _), _| other != type_name);
    }

    /// What exists, operations in flight taken as far as they are.
    pub fn inventory(&self) -> BTreeMap<(String, String), Held> {
        self.lock().held.clone()
    }

    pub fn requests(&self, verb: Verb) -> Vec<Request> {
        let inner = self.inner.lock().unwrap();
        let fitting = inner.requests.iter().filter(|one| one.verb == verb);
        fitting.cloned().collect()
    }

    /// What every call goes through. A call that is lost on the way back says
    /// so after its effect.
    fn enter(
        &self,
        verb: Verb,
        type_name: &str,
        token: Option<&AttemptToken>,
    ) -> Result<bool, Failure> {
        if let (Some(journal), Some(token)) = (&self.journal, token) {
            assert!(
                journal.intends(token),
                "{verb:?} {type_name} without intent"
            );
        }
        let now = self.clock.now();
        let mut inner = self.lock();
        inner.requests.push(Request {
            verb,
            type_name: type_name.to_owned(),
            token: token.cloned(),
        });
        if inner.unauthorized {
            return Err(failure(FailureKind::Unauthorized));
        }
        if now < inner.throttled_until {
            return Err(failure(FailureKind::Throttled));
        }
        let trouble = self.trouble.load(std::sync::atomic::Ordering::SeqCst);
        if self.noise.chance(trouble) {
            if token.is_some() && self.noise.chance(50) {
                return Ok(true);
            }
            return Err(failure(FailureKind::Unavailable));
        }
        match inner.take(verb, type_name, |fault| {
            matches!(fault, Fault::Refuse(_) | Fault::LoseAnswer)
        }) {
            Some(Fault::Refuse(failure)) => Err(failure),
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }

    fn start(
        &self,
        verb: Verb,
        type_name: &str,
        identifier: Option<&str>,
        effect: Effect,
        token: &AttemptToken,
    ) -> Result<Progress, Failure> {
        let lost = self.enter(verb, type_name, Some(token))?;
        let now = self.clock.now();
        let mut inner = self.lock();
        let progress = inner.start(verb, type_name, identifier, effect, token, now);
        if lost {
            return Err(failure(FailureKind::Unknown));
        }
        progress
    }
}

#[async_trait]
impl Driver for Cloud {
    async fn create(
        &self,
        type_name: &str,
        properties: &Value,
        token: &AttemptToken,
    ) -> Result<Progress, Failure> {
        self.killer.cross().await;
        let effect = Effect::Create {
            properties: properties.clone(),
        };
        let answer = self.start(Verb::Create, type_name, None, effect, token);
        self.killer.cross().await;
        answer
    }

    async fn update(
        &self,
        type_name: &str,
        identifier: &str,
        patch: &[PatchOperation],
        token: &AttemptToken,
    ) -> Result<Progress, Failure> {
        self.killer.cross().await;
        let effect = Effect::Update {
            patch: patch.to_vec(),
        };
        let answer = self.start(Verb::Update, type_name, Some(identifier), effect, token);
        self.killer.cross().await;
        answer
    }

    async fn delete(
        &self,
        type_name: &str,
        identifier: &str,
        token: &AttemptToken,
    ) -> Result<Progress, Failure> {
        self.killer.cross().await;
        let answer = self.start(
            Verb::Delete,
            type_name,
            Some(identifier),
            Effect::Delete,
            token,
        );
        self.killer.cross().await;
        answer
    }

    async fn poll(&self, operation: &OperationId) -> Result<Progress, Failure> {
        self.killer.cross().await;
        let type_name = {
            let inner = self.lock();
            let known = inner.operations.get(&operation.0);
            known.map(|operation| operation.type_name.clone())
        };
        let Some(type_name) = type_name else {
            return Err(failure(FailureKind::Forgotten));
        };
        self.enter(Verb::Poll, &type_name, None)?;
        let inner = self.lock();
        let fault = &inner.operations[&operation.0].fault;
        if matches!(fault, Some(Fault::ForgetOperation)) {
            return Err(failure(FailureKind::Forgotten));
        }
        inner.progress(&operation.0)
    }

    async fn read(&self, type_name: &str, identifier: &str) -> Result<Option<Observed>, Failure> {
        self.killer.cross().await;
        self.enter(Verb::Read, type_name, None)?;
        let now = self.clock.now();
        let mut inner = self.lock();
        let overlooked = inner.take(Verb::Read, type_name, |fault| {
            matches!(fault, Fault::Overlook)
        });
        if overlooked.is_some() {
            return Ok(None);
        }
        let held = inner
            .held
            .get(&(type_name.to_owned(), identifier.to_owned()));
        Ok(held
            .filter(|held| now.millis_since(held.appears) >= self.lag_millis)
            .map(|held| Observed {
                identifier: identifier.to_owned(),
                properties: held.properties.clone(),
            }))
    }

    /// Shows identifiers only, as some types' lists do.
    async fn list(&self, type_name: &str, _: Option<&Value>) -> Result<Vec<Observed>, Failure> {
        self.killer.cross().await;
        self.enter(Verb::List, type_name, None)?;
        let now = self.clock.now();
        let inner = self.lock();
        Ok(inner
            .held
            .iter()
            .filter(|((other, _), held)| {
                other == type_name && now.millis_since(held.appears) >= self.lag_millis
            })
            .map(|((_, identifier), _)| Observed {
                identifier: identifier.clone(),
                properties: json!({}),
            })
            .collect())
    }
}
