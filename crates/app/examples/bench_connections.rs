//! How many connections a server verifies, and whether accounts that do not
//! answer keep the others waiting:
//!
//! `cargo run --release --example bench_connections -p landfall-app -- [name=value …]`
//!
//! All connections are due at once, the worker drives them as it does on a
//! server, and a connector of this bench takes the place of the clouds: it
//! answers after `rounds` round trips of `rtt` milliseconds, one after the
//! other, or, for one connection in `hanging`, never. It runs twice, first
//! without the hanging ones. `workers` and `per_organization` are
//! `Settings::worker`'s; without them, its defaults.
//!
//! Nothing leaves the process but the database's file. CPU and memory are
//! `/proc/self`'s.

use async_trait::async_trait;
use landfall_app::{App, Parts, Settings, worker};
use landfall_model::{
    Clock, Entropy, Timestamp,
    check::{Check, Outcome},
    connection::{Aws, AwsAccess, Connection, Method, Partition, State, Target},
    connector::{Availability, CheckSink, Connector, Detection, Region, Verification},
    digest::Digest,
    driver::{Driver, Failure, FailureKind},
    entropy::SystemEntropy,
    grant::{GrantGuide, GrantSpec, ServerPrincipal},
    id::{ConnectionId, OrganizationId, WorkId},
    organization::Organization,
    retained::Retained,
    store::Write,
    work::{Job, NewWork},
};
use landfall_vault::{Envelope, FileKeys, Missing};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

type Outcomes<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// As many checks as a connection to AWS has.
const CHECKS: usize = 40;
/// The bench gives up, whatever happens.
const LONGEST: Duration = Duration::from_secs(900);

#[derive(Clone, Copy)]
struct Plan {
    connections: usize,
    organizations: usize,
    /// One in so many; 0: none.
    hanging: usize,
    rounds: u32,
    rtt: Duration,
    workers: Option<usize>,
    per_organization: Option<usize>,
    timeout: Option<Duration>,
}

impl Plan {
    fn read() -> Outcomes<Self> {
        let mut plan = Self {
            connections: 10_000,
            organizations: 100,
            hanging: 100,
            rounds: 6,
            rtt: Duration::from_millis(50),
            workers: None,
            per_organization: None,
            timeout: None,
        };
        for argument in std::env::args().skip(1) {
            let (name, value) = argument.split_once('=').ok_or("say name=value")?;
            let number: usize = value.parse()?;
            match name {
                "connections" => plan.connections = number.max(1),
                "organizations" => plan.organizations = number.max(1),
                "hanging" => plan.hanging = number,
                "rounds" => plan.rounds = u32::try_from(number)?,
                "rtt" => plan.rtt = Duration::from_millis(u64::try_from(number)?),
                "workers" => plan.workers = Some(number.max(1)),
                "per_organization" => plan.per_organization = Some(number.max(1)),
                "timeout" => plan.timeout = Some(Duration::from_secs(u64::try_from(number)?)),
                other => return Err(format!("there is no setting {other}").into()),
            }
        }
        Ok(plan)
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.worker.checks = self.workers.unwrap_or(settings.worker.checks);
        settings.worker.per_organization = self
            .per_organization
            .unwrap_or(settings.worker.per_organization);
        settings.verification.timeout = self.timeout.unwrap_or(settings.verification.timeout);
        settings
    }

    const fn hangs(&self, number: usize) -> bool {
        self.hanging > 0 && number % self.hanging == self.hanging / 2
    }

    fn healthy(&self) -> usize {
        (0..self.connections)
            .filter(|one| !self.hangs(*one))
            .count()
    }
}

/// Runs at the machine's pace from a fixed day on.
struct Steady(Instant);

#[async_trait]
impl Clock for Steady {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(1_800_000_000_000).plus_millis(passed)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The clouds: round trips, and silence.
struct Slow {
    plan: Plan,
    due: Instant,
    /// Of each verification that ended: how long after it was due it began, and
    /// how long it took.
    ended: Mutex<Vec<(Duration, Duration)>>,
}

impl Slow {
    fn ended(&self) -> Vec<(Duration, Duration)> {
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn no_part() -> Failure {
    Failure::new(FailureKind::Invalid, "Bench", "not part of the bench")
}

#[async_trait]
impl Connector for Slow {
    fn method(&self) -> Method {
        Method::Oidc
    }

    async fn availability(&self) -> Availability {
        Availability::Available
    }

    async fn principal(&self) -> Result<ServerPrincipal, Failure> {
        let url = "https://landfall.example".to_owned();
        Ok(ServerPrincipal::Issuer { url })
    }

    fn guide(
        &self,
        _: &Connection,
        _: &[Connection],
        _: &GrantSpec,
        _: &ServerPrincipal,
    ) -> Result<GrantGuide, Failure> {
        Err(no_part())
    }

    async fn publish(&self, _: &Connection, _: &GrantSpec) -> Result<(), Failure> {
        Err(no_part())
    }

    async fn detect(&self, _: &Connection) -> Detection {
        Detection::Granted
    }

    async fn verify(
        &self,
        connection: &Connection,
        spec: &GrantSpec,
        _: Timestamp,
        sink: &dyn CheckSink,
    ) -> Result<Verification, Failure> {
        let waited = self.due.elapsed();
        if connection.name.starts_with("hanging") {
            std::future::pending::<()>().await;
        }
        let started = Instant::now();
        for _ in 0..self.plan.rounds {
            tokio::time::sleep(self.plan.rtt).await;
        }
        let checks: Vec<Check> = (0..CHECKS).map(passed).collect();
        for check in &checks {
            sink.finished(check);
        }
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((waited, started.elapsed()));
        Ok(Verification {
            checks,
            grant_version: Some(spec.version()),
            grant_digest: Some(Digest::of_bytes(b"as it was")),
            ..Verification::default()
        })
    }

    async fn regions(&self, _: &Connection) -> Result<Vec<Region>, Failure> {
        Err(no_part())
    }

    async fn provisioner(&self, _: &Connection, _: &str) -> Result<Arc<dyn Driver>, Failure> {
        Err(no_part())
    }

    async fn reaper(
        &self,
        _: &Connection,
        _: &Retained,
        _: &Value,
    ) -> Result<Arc<dyn Driver>, Failure> {
        Err(no_part())
    }
}

fn passed(number: usize) -> Check {
    Check {
        id: format!("aws.permissions.group-{number}"),
        title: "The provisioner may do what this group is for".to_owned(),
        outcome: Outcome::Pass,
        asked: "iam:SimulatePrincipalPolicy with the actions of the group".to_owned(),
        evidence: "all 24 actions are allowed; a simulated yes is evidence, not proof".to_owned(),
        remedy: String::new(),
        millis: 50,
    }
}

fn connection(
    number: usize,
    organization: &OrganizationId,
    plan: &Plan,
    now: Timestamp,
) -> Outcomes<Connection> {
    let entropy: &dyn Entropy = &SystemEntropy;
    let kind = if plan.hangs(number) {
        "hanging"
    } else {
        "healthy"
    };
    Ok(Connection {
        id: ConnectionId::at(now, entropy),
        organization_id: organization.clone(),
        name: format!("{kind} {number}"),
        target: Target::Aws(Aws {
            account_id: format!("{:012}", 100_000_000_000_usize + number).parse()?,
            partition: Partition::Aws,
            access: AwsAccess::Oidc,
        }),
        external_id: format!("lf-bench-{number}"),
        migration: None,
        left_behind: None,
        rotation: None,
        regions: vec!["eu-central-1".to_owned()],
        default_region: None,
        with_reaper: true,
        grant_version: None,
        grant_digest: None,
        too_broad: false,
        checked_at: None,
        state: State::Connected { since: now },
        created_at: now,
        updated_at: now,
        version: 1,
    })
}

/// CPU seconds of this process until now, and its memory now in MiB.
fn used() -> Outcomes<(f64, f64)> {
    /// USER_HZ is 100 on every architecture that Linux runs on today.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name in parentheses may hold anything.
    let (_, after_name) = stat.rsplit_once(')').ok_or("no name in stat")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks =
        |place: usize| -> Outcomes<f64> { Ok(fields.get(place).ok_or("stat is short")?.parse()?) };
    let status = std::fs::read_to_string("/proc/self/status")?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .ok_or("no VmRSS")?;
    let resident: f64 = resident.parse()?;
    // utime and stime are the 14th and 15th field, the state the third.
    Ok(((ticks(11)? + ticks(12)?) / TICKS, resident / 1024.0))
}

fn at(sorted: &[Duration], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list of thousands"
    )]
    let place = ((sorted.len() as f64 - 1.0) * share).round() as usize;
    sorted.get(place).map_or(0.0, Duration::as_secs_f64)
}

fn line(what: &str, mut all: Vec<Duration>) {
    all.sort_unstable();
    println!(
        "  {what:<22} half within {:.2} s, 99 % within {:.2} s, all within {:.2} s",
        at(&all, 0.5),
        at(&all, 0.99),
        at(&all, 1.0)
    );
}

async fn run(plan: Plan) -> Outcomes<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}/bench.db", folder.path().display());
    let clock: Arc<dyn Clock> = Arc::new(Steady(Instant::now()));
    let store = landfall_store::open(&url, clock.clone()).await?;
    let now = clock.now();
    let mut organizations = Vec::new();
    for number in 0..plan.organizations {
        let organization = Organization {
            id: OrganizationId::at(now, &SystemEntropy),
            name: format!("Organization {number}"),
            created_at: now,
        };
        organizations.push(organization.id.clone());
        store
            .commit(vec![Write::InsertOrganization(organization)])
            .await?;
    }
    let numbers: Vec<usize> = (0..plan.connections).collect();
    for some in numbers.chunks(500) {
        let mut writes = Vec::new();
        for number in some {
            // Not modulo: then each hanging one would be in the same few
            // organizations.
            let owner = (number * 31 + number / plan.organizations) % plan.organizations;
            let connection = connection(*number, &organizations[owner], &plan, now)?;
            writes.push(Write::Enqueue(NewWork {
                id: WorkId::at(now, &SystemEntropy),
                organization_id: connection.organization_id.clone(),
                job: Job::Verify {
                    connection_id: connection.id.clone(),
                },
                run_at: now,
            }));
            writes.insert(0, Write::PutConnection(connection));
        }
        store.commit(writes).await?;
    }

    let settings = plan.settings();
    let workers = settings.worker.checks;
    let (cpu, before) = used()?;
    let slow = Arc::new(Slow {
        plan,
        due: Instant::now(),
        ended: Mutex::default(),
    });
    let keys = FileKeys::new(
        folder.path().join("vault.key"),
        Missing::Make(store.clone()),
        clock.clone(),
        Arc::new(SystemEntropy),
    );
    let vault = Envelope::new(Arc::new(keys), Arc::new(SystemEntropy));
    let app = App::new(Parts {
        store,
        vault: Arc::new(vault),
        clock,
        entropy: Arc::new(SystemEntropy),
        connectors: vec![slow.clone()],
        settings,
    });
    let shutdown = CancellationToken::new();
    let working = tokio::spawn(worker::run(app, shutdown.clone()));
    let healthy = plan.healthy();
    let started = slow.due;
    let mut most = before;
    while slow.ended().len() < healthy && started.elapsed() < LONGEST {
        tokio::time::sleep(Duration::from_millis(100)).await;
        most = most.max(used()?.1);
    }
    let passed = started.elapsed();
    let ended = slow.ended();
    let (after, _) = used()?;
    shutdown.cancel();
    working.await?;

    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let count = ended.len() as f64;
    println!(
        "{} of {healthy} healthy connections verified, {} hang; {} organizations, {workers} workers, {} rounds of {} ms",
        ended.len(),
        plan.connections - healthy,
        plan.organizations,
        plan.rounds,
        plan.rtt.as_millis()
    );
    println!(
        "  connections/s          {:.1}",
        count / passed.as_secs_f64()
    );
    println!(
        "  CPU per verification   {:.1} ms",
        (after - cpu) * 1000.0 / count
    );
    println!("  memory                 {before:.0} MiB before, {most:.0} MiB at most");
    line(
        "began after it was due",
        ended.iter().map(|one| one.0).collect(),
    );
    line("took", ended.iter().map(|one| one.1).collect());
    Ok(())
}

#[tokio::main]
async fn main() -> Outcomes<()> {
    let plan = Plan::read()?;
    run(Plan { hanging: 0, ..plan }).await?;
    if plan.hanging > 0 {
        run(plan).await?;
    }
    Ok(())
}
