//! What the nodes of one run share.

use crate::{
    attempt::patiently,
    backoff,
    engine::{Engine, Site, Trouble},
    hands::{Hands, Provisioner},
    journal::Journal,
};
use landfall_model::{
    driver::{Failure, FailureKind, PatchOperation},
    graph::{self, Address, Lookup, Node, Unresolved},
    id::RolloutId,
    plan::Plan,
    resource::Resource,
    retained::{self, Retained},
    store::Write,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

pub(crate) struct World<'a> {
    pub engine: &'a Engine,
    pub journal: &'a Journal<'a>,
    pub hands: &'a Provisioner,
    pub plan: &'a Plan,
    pub site: &'a Site,
    pub rollout_id: &'a RolloutId,
    /// Nothing new starts once this is set.
    pub canceling: AtomicBool,
    pub records: Mutex<BTreeMap<Address, Resource>>,
    /// Of this environment, in any state.
    pub retained: Mutex<Vec<Retained>>,
}

impl World<'_> {
    pub fn is_canceling(&self) -> bool {
        self.canceling.load(Ordering::SeqCst)
    }

    pub fn records(&self) -> MutexGuard<'_, BTreeMap<Address, Resource>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn retained(&self) -> MutexGuard<'_, Vec<Retained>> {
        self.retained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn record(&self, address: &Address) -> Option<Resource> {
        self.records().get(address).cloned()
    }

    /// `template` with what the recorded resources say put in.
    pub async fn resolve(&self, template: &Value) -> Result<Value, Trouble> {
        let mut look = 1;
        loop {
            let unresolved = match graph::resolve(template, &|at, attr| self.attribute(at, attr)) {
                Ok(value) => return Ok(value),
                Err(unresolved) => unresolved,
            };
            // An attribute may appear a little after its resource.
            let known = self.record(&unresolved.address);
            let Some(record) = known.filter(|_| look < self.engine.policy.retry.reads) else {
                return Err(unknown(&unresolved).into());
            };
            let seen = patiently(self.engine, || {
                self.hands.read(&record.type_name, &record.identifier)
            })
            .await?;
            if let Some(observed) = seen {
                let mut records = self.records();
                if let Some(record) = records.get_mut(&unresolved.address) {
                    record.outputs = observed.properties;
                }
            }
            let attribute = self.attribute(&unresolved.address, &unresolved.attr);
            if attribute.is_none() {
                let policy = &self.engine.policy.retry;
                let wait = backoff::delay(policy, self.engine.entropy.as_ref(), look);
                self.engine.pause(wait).await?;
            }
            look += 1;
        }
    }

    pub async fn resolve_patch(
        &self,
        patch: &[PatchOperation],
    ) -> Result<Vec<PatchOperation>, Trouble> {
        let mut resolved = Vec::with_capacity(patch.len());
        for operation in patch {
            resolved.push(match operation {
                PatchOperation::Add { path, value } => PatchOperation::Add {
                    path: path.clone(),
                    value: self.resolve(value).await?,
                },
                PatchOperation::Replace { path, value } => PatchOperation::Replace {
                    path: path.clone(),
                    value: self.resolve(value).await?,
                },
                PatchOperation::Remove { path } => PatchOperation::Remove { path: path.clone() },
            });
        }
        Ok(resolved)
    }

    fn attribute(&self, address: &Address, attr: &str) -> Option<Value> {
        let records = self.records();
        let record = records.get(address)?;
        if attr == "$id" {
            return Some(Value::from(record.identifier.as_str()));
        }
        let found = record.outputs.pointer(attr);
        // What was applied is true of it even if a read leaves it out.
        found.or_else(|| record.applied.pointer(attr)).cloned()
    }

    /// The lookup's scope or identifier for `node`, whose name may be another
    /// than the graph's: a second generation is found under its own name.
    pub async fn place(&self, node: &Node, template: &Value) -> Result<Option<Value>, Trouble> {
        match &node.lookup {
            Lookup::Name {
                identifier,
                name_pointer,
            } => {
                let identifier = self.resolve(identifier).await?;
                let names = name_pointer.as_ref().and_then(|pointer| {
                    let usual = node.properties.pointer(pointer)?.as_str()?;
                    Some((usual, template.pointer(pointer)?.as_str()?))
                });
                let renamed = match (&identifier, names) {
                    (Value::String(text), Some((usual, own))) if usual != own => {
                        text.rfind(usual).map(|at| {
                            let end = at + usual.len();
                            Value::from(format!("{}{own}{}", &text[..at], &text[end..]))
                        })
                    }
                    _ => None,
                };
                Ok(Some(renamed.unwrap_or(identifier)))
            }
            Lookup::Tags { scope, .. } | Lookup::Properties { scope, .. } => match scope {
                Some(scope) => Ok(Some(self.resolve(scope).await?)),
                None => Ok(None),
            },
        }
    }

    /// Identifiers of a type that are recorded at other addresses.
    pub fn elsewhere(&self, address: &Address, type_name: &str) -> BTreeSet<String> {
        let records = self.records();
        let others = records
            .values()
            .filter(|record| &record.address != address && record.type_name == type_name);
        others.map(|record| record.identifier.clone()).collect()
    }

    pub fn retained_identifiers(&self, type_name: &str) -> BTreeSet<String> {
        let retained = self.retained();
        let same = retained
            .iter()
            .filter(|retained| retained.type_name == type_name);
        same.map(|retained| retained.identifier.clone()).collect()
    }

    /// Takes a resource that is in use again off the retained list: left on it,
    /// somebody could approve its destruction.
    pub fn reclaim(
        &self,
        type_name: &str,
        identifier: &str,
    ) -> Result<Option<(Write, Retained)>, Failure> {
        let open = self.retained().iter().find_map(|retained| {
            (retained.type_name == type_name
                && retained.identifier == identifier
                && retained.state.is_open())
            .then(|| retained.clone())
        });
        let Some(mut retained) = open else {
            return Ok(None);
        };
        let by = format!("in use again since {}", self.rollout_id);
        retained.state = retained
            .state
            .forgotten(self.engine.now(), by)
            .map_err(|_| {
                Failure::new(
                    FailureKind::Busy,
                    "BeingDestroyed",
                    format!("{type_name} {identifier} is being destroyed: wait for that to end"),
                )
            })?;
        retained.version += 1;
        Ok(Some((Write::PutRetained(retained.clone()), retained)))
    }

    /// The retained entry for a record that is no longer in use.
    pub fn retire(&self, record: &Resource, reason: retained::Reason) -> (Write, Retained) {
        let retained = crate::record::retained(self, record, reason);
        (Write::PutRetained(retained.clone()), retained)
    }

    /// Keeps the shared picture in step with what was committed.
    pub fn remember(&self, changed: Retained) {
        let mut retained = self.retained();
        match retained.iter_mut().find(|other| other.id == changed.id) {
            Some(slot) => *slot = changed,
            None => retained.push(changed),
        }
    }
}

fn unknown(unresolved: &Unresolved) -> Failure {
    Failure::new(
        FailureKind::Invalid,
        "ReferenceUnknown",
        format!(
            "'{}' of {} is not known: the resource does not have it",
            unresolved.attr, unresolved.address
        ),
    )
}
