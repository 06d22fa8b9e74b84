//! How fast the store is here: `cargo run --release --example bench_store -p
//! landfall-store -- URL…` (without a URL: a SQLite file in the temporary
//! folder). Prints one line a measurement: engine, what, how many a second.
//!
//! For PostgreSQL: `scripts/postgres-for-tests start --durable` prints a URL.
//! Use a database that may be thrown away.

use landfall_model::{
    Clock, Timestamp,
    audit::{Actor, NewEntry},
    entropy::SystemEntropy,
    graph::Address,
    id::{ConnectionId, OrganizationId, RolloutId, WorkId},
    journal::{EventKind, Stream},
    organization::Organization,
    store::{Store, Write},
    work::{Job, NewWork},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const LATER: Timestamp = NOW.plus_millis(3_600_000);
const EACH: Duration = Duration::from_secs(2);

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

struct Still;

#[async_trait::async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }

    async fn sleep(&self, _: Duration) {}
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let mut urls: Vec<String> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        urls.push(format!("sqlite:{}/bench.db", folder.path().display()));
    }
    for url in urls {
        let store = landfall_store::open(&url, Arc::new(Still)).await?;
        bench(&store).await?;
    }
    Ok(())
}

async fn bench(store: &Arc<dyn Store>) -> Outcome<()> {
    let engine = store.describe().await?;
    let organization = Organization {
        id: OrganizationId::at(NOW, &SystemEntropy),
        name: "Bench".into(),
        created_at: NOW,
    };
    let id = organization.id.clone();
    store
        .commit(vec![Write::InsertOrganization(organization)])
        .await?;

    let journal = stream();
    for writers in [1, 8] {
        // Each worker drives a rollout of its own.
        let per_second = repeat(store, writers, |_| vec![append(&stream())]).await?;
        println!("{engine}\tappends, {writers} writers\t{per_second:.0}/s");
    }
    let per_second = repeat(store, 1, |_| (0..10).map(|_| append(&journal)).collect()).await?;
    println!(
        "{engine}\tappends, 10 in a commit\t{:.0}/s",
        per_second * 10.0
    );

    // What a step of a rollout costs: under its lease, with an audit entry.
    let lease = {
        store.commit(vec![enqueue(&id)]).await?;
        let claimed = store.claim(&["detect"], NOW, LATER).await?;
        claimed.ok_or("nothing to claim")?
    };
    for writers in [1, 8] {
        let per_second = repeat(store, writers, |_| {
            let guard = Write::Guard {
                lease: lease.clone(),
                now: NOW,
            };
            vec![guard, append(&journal), Write::Audit(entry(&id))]
        })
        .await?;
        println!("{engine}\tguarded commits, {writers} writers, one stream\t{per_second:.0}/s");
    }

    let (mut claims, started) = (0_u32, Instant::now());
    while started.elapsed() < EACH {
        store.commit(vec![enqueue(&id)]).await?;
        if let Some(lease) = store.claim(&["detect"], NOW, LATER).await? {
            store.commit(vec![Write::CompleteWork { lease }]).await?;
            claims += 1;
        }
    }
    println!(
        "{engine}\twork: enqueue, claim, complete\t{:.0}/s",
        f64::from(claims) / started.elapsed().as_secs_f64()
    );

    let (mut reads, started) = (0_u32, Instant::now());
    while started.elapsed() < EACH {
        store.events(&journal, 100, 100).await?;
        reads += 1;
    }
    println!(
        "{engine}\treads of 100 events\t{:.0}/s",
        f64::from(reads) / started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Commits batches from several tasks for a while; commits a second.
async fn repeat(
    store: &Arc<dyn Store>,
    writers: u32,
    batch: impl Fn(u32) -> Vec<Write>,
) -> Outcome<f64> {
    let started = Instant::now();
    let tasks = (0..writers)
        .map(|writer| {
            let (store, batch) = (store.clone(), batch(writer));
            tokio::spawn(async move {
                let mut commits = 0_u32;
                while started.elapsed() < EACH {
                    store.commit(batch.clone()).await?;
                    commits += 1;
                }
                Outcome::Ok(commits)
            })
        })
        .collect::<Vec<_>>();
    let mut commits = 0;
    for task in tasks {
        commits += task.await??;
    }
    Ok(f64::from(commits) / started.elapsed().as_secs_f64())
}

fn stream() -> Stream {
    Stream::Rollout(RolloutId::at(NOW, &SystemEntropy))
}

fn append(stream: &Stream) -> Write {
    Write::Append {
        stream: stream.clone(),
        at: NOW,
        address: Some(Address::new("network.vpc")),
        kind: EventKind::Identified {
            attempt: 1,
            identifier: "vpc-0a1b2c3d4e5f67890".into(),
        },
    }
}

fn entry(organization_id: &OrganizationId) -> NewEntry {
    NewEntry {
        organization_id: organization_id.clone(),
        at: NOW,
        actor: Actor::System,
        action: "resource.create".into(),
        target: "network.vpc".into(),
        outcome: "ok".into(),
        detail: serde_json::json!({"identifier": "vpc-0a1b2c3d4e5f67890"}),
    }
}

fn enqueue(organization_id: &OrganizationId) -> Write {
    Write::Enqueue(NewWork {
        id: WorkId::at(NOW, &SystemEntropy),
        organization_id: organization_id.clone(),
        job: Job::Detect {
            connection_id: ConnectionId::at(NOW, &SystemEntropy),
        },
        run_at: NOW,
    })
}
