//! Kills the real binary wherever it can die, lets it go on, and compares what
//! it knows with what the simulated account holds.
//!
//! `cargo test` runs a thinned sweep; `scripts/kill-sweep` runs all of it.

#[path = "../harness/mod.rs"]
mod harness;
mod play;
mod scenario;
mod sweep;
mod template;

use harness::{
    postgres::{Database, cluster},
    server::Boundary,
};
use play::Play;
use std::{io::Write as _, sync::Arc};
use sweep::{Sweep, Total};

/// Set to a file's path, this runs the full sweep and writes its one line
/// there.
const REPORT: &str = "LANDFALL_KILL_SWEEP";
const SEED: u64 = 20_260_801;
const RANDOM: u32 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thinned_sweep_on_sqlite() {
    if std::env::var_os(REPORT).is_some() {
        return;
    }
    let total = thinned(Database::Sqlite).await.unwrap();
    assert_clean(&total);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thinned_sweep_on_postgresql() {
    if std::env::var_os(REPORT).is_some() {
        return;
    }
    let Some(cluster) = cluster() else { return };
    let database = Database::create(&cluster).await.unwrap();
    let total = thinned(database).await.unwrap();
    assert_clean(&total);
}

fn assert_clean(total: &Total) {
    assert!(total.boundaries >= 5, "{} boundaries", total.boundaries);
    assert!(total.random >= 5, "{} random kills", total.random);
    assert!(total.findings.is_clean(), "\n{}", total.findings);
}

/// Some boundaries from the beginning, the middle and the end, some kills at
/// random, and one of each special case.
async fn thinned(database: Database) -> anyhow::Result<Total> {
    let sweep = Sweep::new(at_once());
    let apply = Arc::new(template::of_rollout(database).await?);
    let change = Arc::new(template::of_change(&apply).await?);
    let destroy = Arc::new(template::of_destruction(&apply).await?);
    let plays = vec![
        Play::Once(Boundary::before(2)),
        Play::Once(Boundary::after(9)),
        Play::Once(Boundary::before(60)),
        Play::Once(Boundary::after(100)),
        Play::AnswersLost { times: 4 },
        Play::FailedWithIdentifier,
        Play::DaysLater(Boundary::before(25)),
    ];
    sweep.each(&apply, plays).await;
    let plays = vec![
        Play::Once(Boundary::after(4)),
        Play::Once(Boundary::before(7)),
    ];
    sweep.each(&change, plays).await;
    let plays = vec![
        Play::Once(Boundary::after(2)),
        Play::Once(Boundary::before(4)),
        Play::DaysLater(Boundary::before(3)),
        Play::AnswersLost { times: 2 },
    ];
    sweep.each(&destroy, plays).await;
    sweep.at_random(std::slice::from_ref(&apply), SEED, 5).await;
    for template in [apply, change, destroy] {
        template.database.remove().await?;
    }
    Ok(sweep.total())
}

/// Everything. Its line goes to the file that [`REPORT`] names.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_sweep() {
    let Some(report) = std::env::var_os(REPORT) else {
        return;
    };
    let total = everything().await.unwrap();
    let line = format!(
        "boundaries={} random={} lost={} duplicated={} orphaned={}\n",
        total.boundaries,
        total.random,
        total.findings.lost.len(),
        total.findings.duplicated.len(),
        total.findings.orphaned.len(),
    );
    std::fs::write(report, line).unwrap();
    let _ = writeln!(std::io::stderr(), "{} scenarios", total.scenarios);
    assert!(total.findings.is_clean(), "\n{}", total.findings);
    assert_eq!(total.random, RANDOM);
}

async fn everything() -> anyhow::Result<Total> {
    let sweep = Sweep::new(at_once());
    let apply = Arc::new(template::of_rollout(Database::Sqlite).await?);
    let change = Arc::new(template::of_change(&apply).await?);
    let destroy = Arc::new(template::of_destruction(&apply).await?);
    // A chain of `after:1` sees every boundary of a recovery from the far
    // side, one of `before:2` from the near side.
    let chains = vec![
        Play::Chain(Boundary::after(1)),
        Play::Chain(Boundary::before(2)),
        Play::AnswersLost { times: 1 },
        Play::AnswersLost { times: 4 },
        Play::FailedWithIdentifier,
        Play::DaysLater(Boundary::before(4)),
        Play::DaysLater(Boundary::after(7)),
        Play::DaysLater(Boundary::before(30)),
        Play::DaysLater(Boundary::before(75)),
    ];
    // Fewer than three commits between two such nights are no progress: what
    // was intended is too old to be asked for, and only that is written down.
    let short = vec![
        Play::Chain(Boundary::after(1)),
        Play::Chain(Boundary::before(2)),
        Play::DaysLater(Boundary::before(3)),
        Play::DaysLater(Boundary::after(3)),
        Play::AnswersLost { times: 1 },
        Play::AnswersLost { times: 4 },
    ];
    let all = [apply.clone(), change.clone(), destroy.clone()];
    tokio::join!(
        sweep.each(&apply, chains),
        sweep.each(&change, short.clone()),
        sweep.each(&destroy, short),
        sweep.every_boundary(&destroy),
        sweep.every_boundary(&change),
        sweep.every_boundary(&apply),
        sweep.at_random(&all, SEED, RANDOM),
    );
    Ok(sweep.total())
}

/// Each scenario is mostly waiting: for leases, for the cloud.
fn at_once() -> usize {
    std::env::var("LANDFALL_KILL_SWEEP_JOBS")
        .ok()
        .and_then(|jobs| jobs.parse().ok())
        .unwrap_or(4)
}
