//! A cloud in memory, with the semantics that the engine must survive: slow
//! operations, tokens that are honoured for 36 hours and then forgotten,
//! refusals, lost answers, failures that leave something behind, reads that lag.

use super::{
    memory::MemoryStore,
    sim::{Killer, Seeded, SimClock},
};
use async_trait::async_trait;
use landfall_model::{
    Clock, Timestamp,
    driver::{
        AttemptToken, Driver, Failure, FailureKind, Observed, OperationId, PatchOperation,
        Progress, Status,
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

#[derive(Clone, Debug)]
pub struct Held {
    pub properties: Value,
    appears: Timestamp,
    /// Not from Landfall.
    pub foreign: bool,
}

#[derive(Clone, Debug)]
enum Effect {
    Create { properties: Value },
    Update { patch: Vec<PatchOperation> },
    Delete,
}

struct Operation {
    type_name: String,
    identifier: Option<String>,
    effect: Effect,
    begins: Timestamp,
    ends: Timestamp,
    fault: Option<Fault>,
    begun: bool,
    over: Option<Result<(), Failure>>,
}

/// A fault that waits for the call or operation that fits.
struct Trap {
    verb: Verb,
    type_name: String,
    fault: Fault,
    /// So many that fit go by first.
    spare: usize,
}

#[derive(Default)]
struct Inner {
    held: BTreeMap<(String, String), Held>,
    operations: BTreeMap<String, Operation>,
    tokens: BTreeMap<String, (String, String, Timestamp)>,
    requests: Vec<Request>,
    faults: Vec<Trap>,
    counter: u64,
    throttled_until: Timestamp,
    unauthorized: bool,
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

const TOKEN_LIFE_MILLIS: i64 = 36 * 3_600_000;

/// Seconds for a creation.
fn seconds(type_name: &str) -> i64 {
    match type_name {
        "AWS::RDS::DBInstance" => 400,
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => 150,
        "AWS::EC2::NatGateway" => 110,
        _ => 3,
    }
}

/// The property that names a resource, where a second of that name is refused,
/// and whether it is also its identifier.
fn naming(type_name: &str) -> Option<(&'static str, bool)> {
    Some(match type_name {
        "AWS::S3::Bucket" => ("BucketName", true),
        "AWS::IAM::Role" => ("RoleName", true),
        "AWS::RDS::DBInstance" => ("DBInstanceIdentifier", true),
        "AWS::Logs::LogGroup" => ("LogGroupName", true),
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => ("Name", false),
        _ => return None,
    })
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

impl Inner {
    fn take(
        &mut self,
        verb: Verb,
        type_name: &str,
        fits: impl Fn(&Fault) -> bool,
    ) -> Option<Fault> {
        let index = self.faults.iter_mut().position(|trap| {
            let on = &trap.type_name;
            let meets = trap.verb == verb && (on == type_name || on == "*") && fits(&trap.fault);
            if meets && trap.spare > 0 {
                trap.spare -= 1;
                return false;
            }
            meets
        })?;
        Some(self.faults.remove(index).fault)
    }

    fn start(
        &mut self,
        verb: Verb,
        type_name: &str,
        identifier: Option<&str>,
        effect: Effect,
        token: &AttemptToken,
        now: Timestamp,
    ) -> Result<Progress, Failure> {
        let body = format!("{type_name} {identifier:?} {effect:?}");
        if let Some((operation, known, at)) = self.tokens.get(&token.0).cloned()
            && now.millis_since(at) < TOKEN_LIFE_MILLIS
        {
            if known != body {
                let text = "the token was used for another request";
                return Err(Failure::new(FailureKind::Invalid, "TokenConflict", text));
            }
            return self.progress(&operation);
        }
        let busy = self.operations.values().any(|operation| {
            operation.over.is_none()
                && operation.type_name == type_name
                && identifier.is_some()
                && operation.identifier.as_deref() == identifier
        });
        if busy {
            return Err(failure(FailureKind::Busy));
        }
        self.counter += 1;
        let id = format!("op-{}", self.counter);
        let fault = self.take(verb, type_name, |fault| {
            !matches!(fault, Fault::Refuse(_) | Fault::LoseAnswer)
        });
        let millis = match verb {
            Verb::Create => seconds(type_name) * 1000,
            _ => 2000 + seconds(type_name) * 100,
        };
        let named = naming(type_name).filter(|(_, is_identifier)| *is_identifier);
        let from_name = match (&effect, named) {
            (Effect::Create { properties }, Some((name, _))) => {
                properties[name].as_str().map(str::to_owned)
            }
            _ => None,
        };
        self.operations.insert(
            id.clone(),
            Operation {
                type_name: type_name.to_owned(),
                identifier: identifier.map(str::to_owned).or(from_name),
                effect,
                begins: now.plus_millis(millis / 3),
                ends: now.plus_millis(millis),
                fault,
                begun: false,
                over: None,
            },
        );
        self.tokens.insert(token.0.clone(), (id.clone(), body, now));
        self.progress(&id)
    }

    fn progress(&self, id: &str) -> Result<Progress, Failure> {
        let operation = &self.operations[id];
        Ok(Progress {
            operation: OperationId(id.to_owned()),
            identifier: match operation.fault {
                Some(Fault::LeaveUnnamed(_)) => None,
                _ => operation.identifier.clone(),
            },
            status: match &operation.over {
                None => Status::Running { retry_after: None },
                Some(Ok(())) => Status::Succeeded,
                Some(Err(failure)) => Status::Failed(failure.clone()),
            },
        })
    }

    /// Brings every operation to where it is at `now`.
    fn settle(&mut self, now: Timestamp) {
        let mut due: Vec<(Timestamp, String)> = self
            .operations
            .iter()
            .filter(|(_, operation)| operation.over.is_none())
            .map(|(id, operation)| (operation.begins, id.clone()))
            .collect();
        due.sort();
        for (_, id) in due {
            let Some(mut operation) = self.operations.remove(&id) else {
                continue;
            };
            if !operation.begun && operation.begins <= now {
                operation.begun = true;
                if let Err(failure) = self.begin(&mut operation) {
                    operation.over = Some(Err(failure));
                }
            }
            let endless = matches!(operation.fault, Some(Fault::NeverEnds));
            if operation.over.is_none() && operation.ends <= now && !endless {
                operation.over = Some(self.end(&mut operation));
            }
            self.operations.insert(id, operation);
        }
    }

    fn begin(&mut self, operation: &mut Operation) -> Result<(), Failure> {
        let type_name = operation.type_name.clone();
        let Effect::Create { properties } = operation.effect.clone() else {
            let identifier = operation.identifier.clone().unwrap_or_default();
            let key = (type_name, identifier);
            let held = self
                .held
                .get(&key)
                .ok_or_else(|| failure(FailureKind::NotFound))?;
            if matches!(operation.effect, Effect::Delete) {
                if held.properties["DeletionProtection"] == json!(true) {
                    return Err(failure(FailureKind::Protected));
                }
                if held.properties.get("Objects").is_some() {
                    return Err(failure(FailureKind::InUse));
                }
            }
            return Ok(());
        };
        if let Some(Fault::FailOperation {
            failure,
            leaves: false,
        }) = &operation.fault
        {
            return Err(failure.clone());
        }
        if let Some((name, _)) = naming(&type_name) {
            let taken = self.held.iter().any(|((other, _), held)| {
                other == &type_name && held.properties[name] == properties[name]
            });
            if taken {
                return Err(failure(FailureKind::AlreadyExists));
            }
        }
        self.counter += 1;
        let counter = self.counter;
        let identifier = operation
            .identifier
            .get_or_insert_with(|| {
                let kind = type_name.rsplit(':').next().unwrap_or_default();
                format!("{}-{counter:04}", kind.to_lowercase())
            })
            .clone();
        let mut properties = properties;
        properties["Id"] = json!(identifier);
        properties["Arn"] = json!(format!("arn:aws:x:::{identifier}"));
        if let Some(Fault::LeavePartial { without, .. }) = &operation.fault {
            properties.as_object_mut().unwrap().remove(without);
        }
        let held = Held {
            properties,
            appears: operation.begins,
            foreign: false,
        };
        self.held.insert((type_name, identifier), held);
        Ok(())
    }

    fn end(&mut self, operation: &mut Operation) -> Result<(), Failure> {
        let identifier = operation.identifier.clone().unwrap_or_default();
        let key = (operation.type_name.clone(), identifier);
        let verdict = match operation.fault.take() {
            Some(Fault::FailOperation {
                failure,
                leaves: true,
            })
            | Some(Fault::LeavePartial { failure, .. }) => Err(failure),
            Some(Fault::LeaveUnnamed(failure)) => {
                operation.identifier = None;
                Err(failure)
            }
            Some(Fault::FailOperation { failure, .. }) => return Err(failure),
            other => {
                operation.fault = other;
                Ok(())
            }
        };
        match &operation.effect {
            Effect::Create { .. } => {}
            Effect::Update { patch } => {
                if let Some(held) = self.held.get_mut(&key) {
                    for change in patch {
                        apply(&mut held.properties, change);
                    }
                }
            }
            Effect::Delete => drop(self.held.remove(&key)),
        }
        verdict
    }
}

/// RFC 6902 on the paths that the engine writes.
pub fn apply(document: &mut Value, change: &PatchOperation) {
    let (path, value) = match change {
        PatchOperation::Add { path, value } | PatchOperation::Replace { path, value } => {
            (path, Some(value.clone()))
        }
        PatchOperation::Remove { path } => (path, None),
    };
    let (parent, last) = path.rsplit_once('/').unwrap();
    match (document.pointer_mut(parent), value) {
        (Some(Value::Array(items)), Some(value)) => match last.parse::<usize>() {
            Ok(index) if matches!(change, PatchOperation::Replace { .. }) => items[index] = value,
            Ok(index) => items.insert(index, value),
            Err(_) => items.push(value),
        },
        (Some(Value::Array(items)), None) => drop(items.remove(last.parse().unwrap())),
        (Some(Value::Object(members)), Some(value)) => {
            members.insert(last.to_owned(), value);
        }
        (Some(Value::Object(members)), None) => drop(members.remove(last)),
        _ => panic!("no {path} in {document}"),
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
