//! The real store under the same killer, on SQLite and on PostgreSQL.

use super::{
    Bench,
    cloud::Cloud,
    port::{engine_store, names::*},
    sim::{Killer, Sim},
};
use landfall_model::{
    journal::{Event, Stream},
    resource::Resource,
    retained::Retained,
    rollout::Rollout,
    store::Write,
    work::Lease,
};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

/// A store whose commits can be crossings, and that says when it is at work.
pub struct Tapped {
    inner: Arc<dyn Store>,
    killer: Arc<Killer>,
    busy: Arc<AtomicUsize>,
}

struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

engine_store! { Tapped {
    async fn commit(&self, writes: Vec<Write>) -> StoreResult<()> {
        self.killer.cross().await;
        let done = {
            let _busy = Busy::new(&self.busy);
            self.inner.commit(writes).await
        };
        self.killer.cross().await;
        done
    }

    async fn resources(&self, environment: &EnvironmentId) -> StoreResult<Vec<Resource>> {
        let _busy = Busy::new(&self.busy);
        self.inner.resources(environment).await
    }

    async fn plan(&self, organization: &OrganizationId, id: &PlanId) -> StoreResult<Option<Plan>> {
        let _busy = Busy::new(&self.busy);
        self.inner.plan(organization, id).await
    }

    async fn rollout(&self, organization: &OrganizationId, id: &RolloutId) -> StoreResult<Option<Rollout>> {
        let _busy = Busy::new(&self.busy);
        self.inner.rollout(organization, id).await
    }

    async fn rollouts(
        &self,
        organization: &OrganizationId,
        environment: Option<&EnvironmentId>,
        limit: u32,
    ) -> StoreResult<Vec<Rollout>> {
        let _busy = Busy::new(&self.busy);
        self.inner.rollouts(organization, environment, limit).await
    }

    async fn events(&self, stream: &Stream, after: u64, limit: u32) -> StoreResult<Vec<Event>> {
        let _busy = Busy::new(&self.busy);
        self.inner.events(stream, after, limit).await
    }

    async fn retained_list(&self, organization: &OrganizationId) -> StoreResult<Vec<Retained>> {
        let _busy = Busy::new(&self.busy);
        self.inner.retained_list(organization).await
    }

    async fn retained(&self, organization: &OrganizationId, id: &RetainedId) -> StoreResult<Option<Retained>> {
        let _busy = Busy::new(&self.busy);
        self.inner.retained(organization, id).await
    }

    async fn claim(&self, kinds: &[&str], now: Timestamp, until: Timestamp) -> StoreResult<Option<Lease>> {
        let _busy = Busy::new(&self.busy);
        self.inner.claim(kinds, now, until).await
    }

    async fn heartbeat(&self, lease: &Lease, until: Timestamp) -> StoreResult<Lease> {
        let _busy = Busy::new(&self.busy);
        self.inner.heartbeat(lease, until).await
    }
} }

/// A runtime for the database's own work, and a fresh database.
pub struct Database {
    runtime: Arc<tokio::runtime::Runtime>,
    url: String,
    _folder: Option<tempfile::TempDir>,
}

fn runtime() -> Arc<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    Arc::new(runtime.unwrap())
}

impl Database {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            runtime: runtime(),
            url: format!("sqlite:{}", folder.path().join("engine.db").display()),
            _folder: Some(folder),
        }
    }

    /// A schema of its own in the cluster at `LANDFALL_TEST_POSTGRES_URL`.
    pub fn postgres() -> Option<Self> {
        let Ok(cluster) = std::env::var("LANDFALL_TEST_POSTGRES_URL") else {
            assert!(
                std::env::var_os("LANDFALL_TEST_REQUIRE_ALL").is_none(),
                "LANDFALL_TEST_POSTGRES_URL is not set"
            );
            // Not eprintln!: that is shown for failed tests only.
            let _ = writeln!(
                std::io::stderr(),
                "skipped: LANDFALL_TEST_POSTGRES_URL is not set"
            );
            return None;
        };
        let schema = format!("landfall_engine_{}", std::process::id());
        let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
        let runtime = runtime();
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&cluster).await.unwrap();
            let sql = sqlx::raw_sql(AssertSqlSafe(sql));
            sql.execute(&mut connection).await.unwrap();
        });
        let separator = if cluster.contains('?') { '&' } else { '?' };
        Some(Self {
            runtime,
            url: format!("{cluster}{separator}options=-c%20search_path={schema}"),
            _folder: None,
        })
    }

    /// A new organization in it, with all that its rows refer to.
    pub fn bench(&self, seed: u64) -> Bench {
        let mut sim = Sim::new();
        sim.runtime = Some(self.runtime.clone());
        let opening = landfall_store::open(&self.url, sim.clock.clone());
        let inner = self.runtime.block_on(opening).unwrap();
        let store = Arc::new(Tapped {
            inner: inner.clone(),
            killer: sim.killer.clone(),
            busy: sim.busy.clone(),
        });
        let cloud = Cloud::new(sim.clock.clone(), sim.killer.clone(), None, seed);
        // Benches of one database must not get the same ids.
        sim.clock.advance(Duration::from_secs(seed));
        let bench = Bench::with(sim, store, None, cloud, seed);
        self.runtime.block_on(inner.commit(found(&bench))).unwrap();
        bench
    }
}

fn found(bench: &Bench) -> Vec<Write> {
    let now = bench.now();
    let application = ApplicationId::at(now, bench.entropy.as_ref());
    let connection = json!({
        "id": bench.connection_id,
        "organization_id": bench.organization_id,
        "name": "account",
        "cloud": "aws",
        "method": "assume-role",
        "account_id": "123456789012",
        "partition": "aws",
        "external_id": bench.connection_id,
        "regions": ["eu-central-1"],
        "with_reaper": true,
        "state": {"status": "connected", "since": now},
        "created_at": now,
        "updated_at": now,
        "version": 1,
    });
    let shop = json!({
        "id": application,
        "organization_id": bench.organization_id,
        "name": "shop",
        "workloads": {},
        "state": {"status": "active"},
        "created_at": now,
        "updated_at": now,
        "version": 1,
    });
    let environment = json!({
        "id": bench.environment_id,
        "organization_id": bench.organization_id,
        "application_id": application,
        "connection_id": bench.connection_id,
        "name": "production",
        "kind": "production",
        "region": "eu-central-1",
        "runtime": "serverless",
        "approval": "manual",
        "settings": {},
        "state": {"status": "active"},
        "created_at": now,
        "updated_at": now,
        "version": 1,
    });
    vec![
        Write::InsertOrganization(Organization {
            id: bench.organization_id.clone(),
            name: "Acme".into(),
            created_at: now,
        }),
        Write::PutConnection(serde_json::from_value(connection).unwrap()),
        Write::PutApplication(serde_json::from_value(shop).unwrap()),
        Write::PutEnvironment(serde_json::from_value(environment).unwrap()),
    ]
}
