pub mod cloud;
pub mod graphs;
pub mod memory;
mod port;
pub mod sim;
pub mod sql;

use cloud::{Cloud, Verb};
use graphs::Builder;
use landfall_engine::{
    Destroy, DestroyEnd, Engine, EngineError, Interruption, Policy, Run, RunEnd, Site, destroy, run,
};
use landfall_model::{
    Clock, Timestamp,
    approval::{self, Admin, ApprovedDestruction, ApprovedPlan},
    driver::AttemptToken,
    graph::{self, Address},
    id::*,
    journal::{Call, Event, EventKind, Stream},
    member::Role,
    owned,
    plan::{Action, Plan},
    resource::Resource,
    retained::{self, Retained},
    rollout::{self, Rollout},
    store::{Store, Write},
    work::{Job, Lease, NewWork},
};
use memory::MemoryStore;
use serde_json::Value;
use sim::{Seeded, Sim};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// One environment in one account, and a way to kill whoever works on it.
pub struct Bench {
    pub sim: Sim,
    pub store: Arc<dyn Store>,
    /// The same store, when it is in memory.
    pub memory: Option<Arc<MemoryStore>>,
    pub cloud: Arc<Cloud>,
    pub entropy: Arc<Seeded>,
    pub organization_id: OrganizationId,
    pub environment_id: EnvironmentId,
    pub connection_id: ConnectionId,
    pub policy: Policy,
    pub shutdown: CancellationToken,
}

/// One plan's rollout.
pub struct Landing {
    pub plan: Plan,
    pub approved: ApprovedPlan,
    pub rollout_id: RolloutId,
}

pub const LEASE: Duration = Duration::from_secs(60);

impl Bench {
    pub fn new(seed: u64) -> Self {
        let sim = Sim::new();
        let memory = Arc::new(MemoryStore::new(sim.killer.clone()));
        let cloud = Cloud::new(
            sim.clock.clone(),
            sim.killer.clone(),
            Some(memory.clone()),
            seed,
        );
        Self::with(sim, memory.clone(), Some(memory), cloud, seed)
    }

    /// Another organization with another account, on the same server.
    pub fn beside(&self, seed: u64) -> Self {
        let sim = Sim {
            clock: self.sim.clock.clone(),
            ..Sim::new()
        };
        let memory = self.memory.clone();
        let cloud = Cloud::new(sim.clock.clone(), sim.killer.clone(), memory.clone(), seed);
        Self::with(sim, self.store.clone(), memory, cloud, seed)
    }

    pub fn with(
        sim: Sim,
        store: Arc<dyn Store>,
        memory: Option<Arc<MemoryStore>>,
        cloud: Arc<Cloud>,
        seed: u64,
    ) -> Self {
        let entropy = Seeded::new(seed);
        let now = sim.clock.now();
        Self {
            store,
            memory,
            cloud,
            organization_id: OrganizationId::at(now, entropy.as_ref()),
            environment_id: EnvironmentId::at(now, entropy.as_ref()),
            connection_id: ConnectionId::at(now, entropy.as_ref()),
            entropy,
            sim,
            policy: Policy::default(),
            shutdown: CancellationToken::new(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.sim.clock.now()
    }

    pub fn builder(&self) -> Builder {
        Builder::new(&self.environment_id)
    }

    pub fn site(&self) -> Site {
        Site {
            // One account per organization, made of its id.
            account_id: self.organization_id.as_str().to_owned(),
            region: "eu-central-1".into(),
            connection_id: self.connection_id.clone(),
            environment_name: "shop/production".into(),
        }
    }

    /// What only the test asks or writes: never killed.
    pub fn ask<T>(&self, question: impl Future<Output = T>) -> T {
        self.sim.killer.arm(0);
        self.sim.drive(question).expect("not killed")
    }

    pub fn put(&self, writes: Vec<Write>) {
        self.ask(self.store.commit(writes)).unwrap();
    }

    /// A first rollout that creates everything, still to be run.
    pub fn creation(&self) -> Landing {
        let mut builder = self.builder();
        builder.landscape();
        let actions = builder.creations();
        self.land(&builder, actions)
    }

    /// A second rollout, of every kind of change, after a first that went well.
    pub fn second(&self) -> Landing {
        let first = self.creation();
        assert_eq!(self.start(&first, 0), Some(RunEnd::Succeeded));
        let records = self.records();
        let mut builder = self.builder();
        builder.landscape();
        let found = serde_json::json!({
            "LogGroupName": "landfall-logs",
            "RetentionInDays": 7,
            "Tags": builder.tags("web.logs"),
        });
        self.cloud
            .plant("AWS::Logs::LogGroup", "landfall-logs", found, false);
        let identifier = |address: &str| records[&graphs::at(address)].identifier.clone();
        let actions = builder.second(&identifier);
        self.land(&builder, actions)
    }

    /// Approves `actions`, and queues a rollout of them.
    pub fn land(&self, builder: &Builder, actions: Vec<Action>) -> Landing {
        let now = self.now();
        let rollout_id = RolloutId::at(now, self.entropy.as_ref());
        let (plan, approved) = builder.approve(
            &self.organization_id,
            &rollout_id,
            actions,
            now,
            &self.entropy,
        );
        let rollout = Rollout {
            id: rollout_id.clone(),
            organization_id: self.organization_id.clone(),
            environment_id: self.environment_id.clone(),
            plan_id: plan.id.clone(),
            started_by: "Ada".into(),
            started_by_role: Role::Admin,
            state: rollout::State::Queued { since: now },
            created_at: now,
            version: 1,
        };
        let enqueue = self.enqueue(&rollout_id);
        self.put(vec![
            Write::PutPlan(plan.clone()),
            Write::PutRollout(rollout),
            enqueue,
        ]);
        Landing {
            plan,
            approved,
            rollout_id,
        }
    }

    pub fn enqueue(&self, rollout_id: &RolloutId) -> Write {
        Write::Enqueue(NewWork {
            id: WorkId::at(self.now(), self.entropy.as_ref()),
            organization_id: self.organization_id.clone(),
            job: Job::Rollout {
                rollout_id: rollout_id.clone(),
            },
            run_at: self.now(),
        })
    }

    pub fn engine(&self) -> Engine {
        Engine::new(
            self.store.clone(),
            self.sim.clock.clone(),
            self.entropy.clone(),
            self.policy.clone(),
            self.shutdown.clone(),
        )
    }

    pub fn rollout(&self, landing: &Landing) -> Rollout {
        let found = self
            .store
            .rollout(&self.organization_id, &landing.rollout_id);
        self.ask(found).unwrap().unwrap()
    }

    pub fn claim(&self, kind: &str) -> Option<Lease> {
        let until = self.now().plus_millis(LEASE.as_millis() as i64);
        self.ask(self.store.claim(&[kind], self.now(), until))
            .unwrap()
    }

    /// Claims what must be there, as patiently as a worker: a process that was
    /// killed inside a transaction holds its row until PostgreSQL notices that
    /// it is gone, and a locked row is skipped. Here the process is a future
    /// that was dropped: a connection that it left in the middle of a message
    /// is only closed when its pool has waited for five seconds.
    pub fn claimed(&self, kind: &str) -> Lease {
        for _ in 0..3_000 {
            if let Some(lease) = self.claim(kind) {
                return lease;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("there is no work of the kind {kind}");
    }

    /// What a worker does with a claimed rollout.
    pub async fn work(
        &self,
        engine: &Engine,
        landing: &Landing,
        lease: Lease,
        rollout: Rollout,
    ) -> Result<RunEnd, EngineError> {
        let what = Run {
            approved: landing.approved.clone(),
            rollout,
            lease,
            driver: self.cloud.clone(),
            site: self.site(),
            closing: Box::new(|_| vec![]),
        };
        run(engine, what).await
    }

    /// A new process claims the work and runs it; killed at the crossing
    /// `kill` (0: never). `None` when it was.
    pub fn start(&self, landing: &Landing, kill: u64) -> Option<RunEnd> {
        let lease = self.claimed("rollout");
        let rollout = self.rollout(landing);
        let engine = self.engine();
        self.sim.killer.arm(kill);
        let ended = self
            .sim
            .drive(self.work(&engine, landing, lease, rollout))
            .map(|end| end.unwrap());
        self.sim.killer.disarm();
        ended
    }

    /// Whether the rollout is still to be worked on.
    pub fn is_open(&self, landing: &Landing) -> bool {
        let open = !self.rollout(landing).state.is_over();
        if let Some(memory) = &self.memory {
            assert_eq!(
                open,
                memory.open_work() > 0,
                "the work ends with the rollout"
            );
        }
        open
    }

    /// Time passes until a dead worker's lease has run out.
    pub fn wait_out_lease(&self) {
        self.sim.clock.advance(LEASE + Duration::from_secs(1));
    }

    pub fn resume(&self, landing: &Landing) {
        let mut rollout = self.rollout(landing);
        rollout.state = rollout.state.resumed(self.now()).unwrap();
        rollout.version += 1;
        let enqueue = self.enqueue(&landing.rollout_id);
        self.put(vec![Write::PutRollout(rollout), enqueue]);
    }

    /// As the use case does.
    pub async fn cancel(&self, landing: &Landing) {
        let found = self
            .store
            .rollout(&self.organization_id, &landing.rollout_id);
        let mut rollout = found.await.unwrap().unwrap();
        rollout.state = rollout.state.canceling(self.now()).unwrap();
        rollout.version += 1;
        let writes = vec![Write::PutRollout(rollout)];
        self.store.commit(writes).await.unwrap();
    }

    /// Starts again after kills, resumes after failures, until it succeeds.
    pub fn succeed(&self, landing: &Landing) {
        for _ in 0..12 {
            match self.start(landing, 0) {
                Some(RunEnd::Succeeded) => return,
                Some(RunEnd::Failed { .. } | RunEnd::Canceled) => self.resume(landing),
                Some(RunEnd::Interrupted(Interruption::Shutdown | Interruption::LeaseLost))
                | None => self.wait_out_lease(),
            }
        }
        panic!("it never succeeds: {:#?}", self.failures(landing));
    }

    pub fn events_of(&self, stream: Stream) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let after = events.last().map_or(0, |event: &Event| event.seq);
            let page = self.ask(self.store.events(&stream, after, 1000)).unwrap();
            if page.is_empty() {
                return events;
            }
            events.extend(page);
        }
    }

    pub fn events(&self, landing: &Landing) -> Vec<Event> {
        self.events_of(Stream::Rollout(landing.rollout_id.clone()))
    }

    /// The kinds of one address's events.
    pub fn story(&self, landing: &Landing, address: &str) -> Vec<EventKind> {
        let address = graphs::at(address);
        let events = self.events(landing).into_iter();
        events
            .filter(|event| event.address.as_ref() == Some(&address))
            .map(|event| event.kind)
            .collect()
    }

    pub fn failures(&self, landing: &Landing) -> Vec<(Option<Address>, EventKind)> {
        let events = self.events(landing).into_iter();
        events
            .filter(|event| {
                matches!(
                    event.kind,
                    EventKind::Failed { .. } | EventKind::AttemptFailed { .. }
                )
            })
            .map(|event| (event.address, event.kind))
            .collect()
    }

    pub fn records(&self) -> BTreeMap<Address, Resource> {
        let records = self
            .ask(self.store.resources(&self.environment_id))
            .unwrap();
        records
            .into_iter()
            .map(|record| (record.address.clone(), record))
            .collect()
    }

    pub fn retained(&self) -> Vec<Retained> {
        self.ask(self.store.retained_list(&self.organization_id))
            .unwrap()
    }

    /// Everything that Landfall made is recorded or listed, once; nothing that
    /// is recorded or listed is missing.
    pub fn assert_nothing_lost(&self) {
        let made: BTreeSet<(String, String)> = self
            .cloud
            .inventory()
            .into_iter()
            .filter(|(_, held)| !held.foreign)
            .map(|(key, _)| key)
            .collect();
        let mut known = BTreeSet::new();
        for record in self.records().into_values() {
            let key = (record.type_name, record.identifier);
            assert!(known.insert(key.clone()), "{key:?} is recorded twice");
        }
        for retained in self.retained() {
            if retained.state.is_open() {
                let key = (retained.type_name, retained.identifier);
                assert!(known.insert(key.clone()), "{key:?} is known twice");
            }
        }
        let orphaned: Vec<_> = made.difference(&known).collect();
        let lost: Vec<_> = known.difference(&made).collect();
        assert!(orphaned.is_empty(), "orphaned: {orphaned:?}");
        assert!(lost.is_empty(), "recorded, but not there: {lost:?}");
        assert!(
            self.cloud.requests(Verb::Delete).is_empty(),
            "a delete call"
        );
    }

    /// The cloud is as the plan's graph wants it.
    pub fn assert_landed(&self, landing: &Landing) {
        self.assert_nothing_lost();
        self.assert_journal(Stream::Rollout(landing.rollout_id.clone()));
        let records = self.records();
        let inventory = self.cloud.inventory();
        let wanted: BTreeSet<_> = landing.plan.graph.nodes.keys().collect();
        assert_eq!(records.keys().collect::<BTreeSet<_>>(), wanted);
        for (address, node) in &landing.plan.graph.nodes {
            let record = &records[address];
            let held = &inventory[&(node.type_name.clone(), record.identifier.clone())];
            let desired = graph::resolve(&node.properties, &|address, attr| {
                let record = records.get(address)?;
                match attr {
                    "$id" => Some(Value::from(record.identifier.as_str())),
                    pointer => record.outputs.pointer(pointer).cloned(),
                }
            })
            .unwrap();
            let differences = owned::differences(node, &desired, &held.properties);
            assert!(differences.is_empty(), "{address}: {differences:?}");
            assert_eq!(record.applied, desired, "{address}");
            assert_eq!(record.outputs, held.properties, "{address}");
        }
    }

    /// The rules of the journal, read afterwards.
    pub fn assert_journal(&self, stream: Stream) {
        let mut intents: BTreeMap<(Address, u32), AttemptToken> = BTreeMap::new();
        let mut tokens = BTreeSet::new();
        for (index, event) in self.events_of(stream).into_iter().enumerate() {
            assert_eq!(event.seq, index as u64 + 1);
            let Some(address) = event.address else {
                continue;
            };
            match event.kind {
                EventKind::Intended {
                    attempt,
                    token,
                    request,
                    ..
                } => {
                    assert!(token.0.len() <= 64);
                    assert!(tokens.insert(token.0.clone()), "a token is used twice");
                    let previous = intents.insert((address.clone(), attempt), token);
                    assert!(previous.is_none(), "{address}: attempt {attempt} twice");
                    if let Call::Create { properties } = &request {
                        let mut left = BTreeSet::new();
                        graph::references(properties, &mut left);
                        assert!(left.is_empty(), "{address}: unresolved {left:?}");
                    }
                }
                EventKind::Accepted { attempt, .. }
                | EventKind::Identified { attempt, .. }
                | EventKind::Succeeded { attempt, .. }
                | EventKind::AttemptFailed { attempt, .. } => {
                    let intended = intents.contains_key(&(address.clone(), attempt));
                    assert!(intended, "{address}: attempt {attempt} without intent");
                }
                _ => {}
            }
        }
    }

    /// Puts a resource on the retained list and approves its destruction.
    pub fn approve_destruction(&self, type_name: &str, identifier: &str) -> RetainedId {
        let now = self.now();
        let mut retained = Retained {
            id: RetainedId::at(now, self.entropy.as_ref()),
            organization_id: self.organization_id.clone(),
            connection_id: self.connection_id.clone(),
            environment_id: self.environment_id.clone(),
            environment_name: "shop/production".into(),
            address: graphs::at("old.thing"),
            type_name: type_name.into(),
            title: "Old".into(),
            identifier: identifier.into(),
            account_id: "123456789012".into(),
            region: "eu-central-1".into(),
            stateful: true,
            reason: retained::Reason::NoLongerWanted,
            since: now,
            monthly_cents: None,
            state: retained::State::Retained,
            version: 1,
        };
        self.put(vec![Write::PutRetained(retained.clone())]);
        let member = MemberId::at(now, self.entropy.as_ref());
        let admin = Admin::from_role(member, "Ada".into(), Role::Admin).unwrap();
        let name = retained.typed_name().to_owned();
        let approval = approval::approve_destruction(&retained, admin, &name, now).unwrap();
        let destruction_id = DestructionId::at(now, self.entropy.as_ref());
        let state = retained.state.clone();
        retained.state = state.destroying(destruction_id.clone(), approval).unwrap();
        retained.version += 1;
        let work = NewWork {
            id: WorkId::at(now, self.entropy.as_ref()),
            organization_id: self.organization_id.clone(),
            job: Job::Destruction {
                destruction_id,
                retained_id: retained.id.clone(),
            },
            run_at: now,
        };
        let id = retained.id.clone();
        self.put(vec![Write::PutRetained(retained), Write::Enqueue(work)]);
        id
    }

    pub fn retained_one(&self, id: &RetainedId) -> Retained {
        self.ask(self.store.retained(&self.organization_id, id))
            .unwrap()
            .unwrap()
    }

    /// A new process claims the destruction and runs it; killed at `kill`.
    pub fn reap(&self, id: &RetainedId, kill: u64) -> Option<DestroyEnd> {
        let lease = self.claimed("destruction");
        let retained = self.retained_one(id);
        let approved = ApprovedDestruction::from_stored(retained).unwrap();
        let engine = self.engine();
        self.sim.killer.arm(kill);
        let what = Destroy {
            approved,
            lease,
            driver: self.cloud.clone(),
            closing: Box::new(|_| vec![]),
        };
        let ended = self
            .sim
            .drive(destroy(&engine, what))
            .map(|end| end.unwrap());
        self.sim.killer.disarm();
        ended
    }
}
