//! A store in memory: the part of the contract that the engine uses.

use super::{
    port::{engine_store, names::*},
    sim::Killer,
};
use landfall_model::{
    driver::AttemptToken,
    graph::Address,
    journal::{Event, EventKind, Stream},
    resource::Resource,
    retained::Retained,
    rollout::Rollout,
    store::{StoreError, Write},
    work::{Lease, NewWork},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

#[derive(Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
    killer: Arc<Killer>,
}

#[derive(Default)]
struct Inner {
    plans: BTreeMap<PlanId, Plan>,
    rollouts: BTreeMap<RolloutId, Rollout>,
    resources: BTreeMap<(EnvironmentId, Address), Resource>,
    retained: BTreeMap<RetainedId, Retained>,
    events: BTreeMap<Stream, Vec<Event>>,
    work: BTreeMap<String, Row>,
    commits: Vec<usize>,
}

struct Row {
    work: NewWork,
    epoch: u64,
    attempts: u32,
    until: Option<Timestamp>,
}

impl MemoryStore {
    pub fn new(killer: Arc<Killer>) -> Self {
        Self {
            inner: Mutex::default(),
            killer,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Whether a committed intent carries this token.
    pub fn intends(&self, token: &AttemptToken) -> bool {
        self.lock().events.values().flatten().any(|event| {
            matches!(&event.kind, EventKind::Intended { token: journaled, .. } if journaled == token)
        })
    }

    /// How many writes each commit had, beside its guard.
    pub fn commits(&self) -> Vec<usize> {
        self.lock().commits.clone()
    }

    /// Another server, whose clock is ahead, claims everything.
    pub fn take_over(&self) {
        for row in self.lock().work.values_mut() {
            row.epoch += 1;
        }
    }

    /// Work that is queued or claimed.
    pub fn open_work(&self) -> usize {
        self.lock().work.len()
    }
}

fn conflict<T>(noun: &'static str, id: impl ToString) -> StoreResult<T> {
    let id = id.to_string();
    Err(StoreError::Conflict { noun, id })
}

impl Inner {
    fn check(&self, write: &Write) -> StoreResult<()> {
        let stored = |current: Option<u64>, version: u64| current.unwrap_or(0) + 1 == version;
        match write {
            Write::Guard { lease, now } => {
                let row = self.work.get(&lease.job.key());
                let held = row.is_some_and(|row| {
                    row.epoch == lease.epoch && row.until.is_some_and(|until| until > *now)
                });
                let work_id = lease.work_id.clone();
                held.then_some(()).ok_or(StoreError::Fenced { work_id })
            }
            Write::PutPlan(plan) => {
                let current = self.plans.get(&plan.id).map(|plan| plan.version);
                match stored(current, plan.version) {
                    true => Ok(()),
                    false => conflict("plan", &plan.id),
                }
            }
            Write::PutRollout(rollout) => {
                let current = self.rollouts.get(&rollout.id).map(|one| one.version);
                match stored(current, rollout.version) {
                    true => Ok(()),
                    false => conflict("rollout", &rollout.id),
                }
            }
            Write::PutRetained(retained) => {
                let current = self.retained.get(&retained.id).map(|one| one.version);
                match stored(current, retained.version) {
                    true => Ok(()),
                    false => conflict("retained resource", &retained.id),
                }
            }
            _ => Ok(()),
        }
    }

    fn commit(&mut self, writes: Vec<Write>) -> StoreResult<()> {
        for write in &writes {
            self.check(write)?;
        }
        self.commits.push(
            writes
                .iter()
                .filter(|write| !matches!(write, Write::Guard { .. }))
                .count(),
        );
        for write in writes {
            self.apply(write);
        }
        Ok(())
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Guard { .. } => {}
            Write::PutPlan(plan) => drop(self.plans.insert(plan.id.clone(), plan)),
            Write::PutRollout(rollout) => {
                self.rollouts.insert(rollout.id.clone(), rollout);
            }
            Write::PutRetained(retained) => {
                self.retained.insert(retained.id.clone(), retained);
            }
            Write::PutResource(resource) => {
                let key = (resource.environment_id.clone(), resource.address.clone());
                self.resources.insert(key, resource);
            }
            Write::DeleteResource {
                environment_id,
                address,
            } => drop(self.resources.remove(&(environment_id, address))),
            Write::Append {
                stream,
                at,
                address,
                kind,
            } => {
                let events = self.events.entry(stream.clone()).or_default();
                let seq = events.len() as u64 + 1;
                events.push(Event {
                    stream,
                    seq,
                    at,
                    address,
                    kind,
                });
            }
            Write::Enqueue(work) => {
                self.work.entry(work.job.key()).or_insert(Row {
                    work,
                    epoch: 0,
                    attempts: 0,
                    until: None,
                });
            }
            Write::CompleteWork { lease } => drop(self.work.remove(&lease.job.key())),
            Write::PostponeWork { lease, run_at } => {
                if let Some(row) = self.work.get_mut(&lease.job.key()) {
                    row.work.run_at = run_at;
                    row.until = None;
                }
            }
            other => unreachable!("the engine does not write {other:?}"),
        }
    }
}

engine_store! { MemoryStore {
    async fn commit(&self, writes: Vec<Write>) -> StoreResult<()> {
        self.killer.cross().await;
        self.lock().commit(writes)?;
        self.killer.cross().await;
        Ok(())
    }

    async fn resources(&self, environment: &EnvironmentId) -> StoreResult<Vec<Resource>> {
        let inner = self.lock();
        let own = inner.resources.values().filter(|one| &one.environment_id == environment);
        Ok(own.cloned().collect())
    }

    async fn plan(&self, _: &OrganizationId, id: &PlanId) -> StoreResult<Option<Plan>> {
        Ok(self.lock().plans.get(id).cloned())
    }

    async fn rollout(&self, _: &OrganizationId, id: &RolloutId) -> StoreResult<Option<Rollout>> {
        Ok(self.lock().rollouts.get(id).cloned())
    }

    async fn rollouts(
        &self,
        _: &OrganizationId,
        environment: Option<&EnvironmentId>,
        _: u32,
    ) -> StoreResult<Vec<Rollout>> {
        let inner = self.lock();
        let own = inner.rollouts.values().rev();
        Ok(own.filter(|one| environment.is_none_or(|id| &one.environment_id == id)).cloned().collect())
    }

    async fn events(&self, stream: &Stream, after: u64, limit: u32) -> StoreResult<Vec<Event>> {
        let inner = self.lock();
        let events = inner.events.get(stream).into_iter().flatten();
        Ok(events.filter(|event| event.seq > after).take(limit as usize).cloned().collect())
    }

    async fn retained_list(&self, _: &OrganizationId) -> StoreResult<Vec<Retained>> {
        Ok(self.lock().retained.values().cloned().collect())
    }

    async fn retained(&self, _: &OrganizationId, id: &RetainedId) -> StoreResult<Option<Retained>> {
        Ok(self.lock().retained.get(id).cloned())
    }

    async fn claim(&self, kinds: &[&str], now: Timestamp, until: Timestamp) -> StoreResult<Option<Lease>> {
        let mut inner = self.lock();
        let row = inner.work.values_mut().find(|row| {
            kinds.contains(&row.work.job.kind()) && row.until.is_none_or(|until| until <= now)
        });
        Ok(row.map(|row| {
            row.epoch += 1;
            row.attempts += 1;
            row.until = Some(until);
            Lease {
                work_id: row.work.id.clone(),
                organization_id: row.work.organization_id.clone(),
                job: row.work.job.clone(),
                epoch: row.epoch,
                attempts: row.attempts,
                until,
            }
        }))
    }

    async fn heartbeat(&self, lease: &Lease, until: Timestamp) -> StoreResult<Lease> {
        let mut inner = self.lock();
        match inner.work.get_mut(&lease.job.key()) {
            Some(row) if row.epoch == lease.epoch => {
                row.until = Some(until);
                Ok(Lease { until, ..lease.clone() })
            }
            _ => Err(StoreError::Fenced { work_id: lease.work_id.clone() }),
        }
    }
} }
