//! Many scenarios, a few at a time, and what came of them.

use crate::harness::compare::Findings;
use crate::harness::server::{Boundary, Side};
use crate::play::{Kills, Play, play};
use crate::scenario::Scenario;
use crate::template::Template;
use std::{
    io::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};

/// A chain of hundreds of lives comes near; nothing else does.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// In one scenario, until its work is over.
const RANDOM_KILLS: u32 = 5;

#[derive(Clone, Debug, Default)]
pub struct Total {
    pub scenarios: u32,
    /// Kills at a boundary of a journal.
    pub boundaries: u32,
    /// Kills at a random instant.
    pub random: u32,
    pub findings: Findings,
}

/// What the jobs of one sweep share.
pub struct Sweep {
    turns: Semaphore,
    total: Mutex<Total>,
    began: Instant,
}

impl Sweep {
    /// Runs at most `at_once` scenarios at the same time.
    pub fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self {
            turns: Semaphore::new(at_once),
            total: Mutex::default(),
            began: Instant::now(),
        })
    }

    pub fn total(&self) -> Total {
        self.total
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// All of `plays`, each on a copy of `template`.
    pub async fn each(self: &Arc<Self>, template: &Arc<Template>, plays: Vec<Play>) {
        let mut jobs = JoinSet::new();
        for play in plays {
            let (sweep, template) = (self.clone(), template.clone());
            jobs.spawn(async move { sweep.one(&template, &play).await });
        }
        finish(jobs).await;
    }

    /// A kill at every boundary, before it and after it, in a scenario of its
    /// own. Ends behind the last boundary that there is.
    pub async fn every_boundary(self: &Arc<Self>, template: &Arc<Template>) {
        let ends = [Arc::new(AtomicU32::new(u32::MAX)), Arc::default()];
        ends[1].store(u32::MAX, Ordering::SeqCst);
        let mut jobs = JoinSet::new();
        for number in 1..=1000 {
            for (side, end) in [Side::Before, Side::After].into_iter().zip(&ends) {
                let (sweep, template, end) = (self.clone(), template.clone(), end.clone());
                jobs.spawn(async move {
                    let Ok(_turn) = sweep.turns.acquire().await else {
                        return;
                    };
                    if number > end.load(Ordering::SeqCst) {
                        return;
                    }
                    let boundary = Boundary { side, number };
                    let kills = sweep.scenario(&template, &Play::Once(boundary)).await;
                    if kills.boundaries == 0 {
                        end.fetch_min(number, Ordering::SeqCst);
                    }
                });
            }
        }
        finish(jobs).await;
    }

    /// Exactly `most` kills at random instants, in as many scenarios as that
    /// takes.
    pub async fn at_random(self: &Arc<Self>, templates: &[Arc<Template>], seed: u64, most: u32) {
        let left = Arc::new(AtomicU32::new(most));
        let mut seed = seed;
        while left.load(Ordering::SeqCst) > 0 {
            let mut jobs = JoinSet::new();
            let wanted = left.load(Ordering::SeqCst).div_ceil(RANDOM_KILLS);
            for _ in 0..wanted {
                seed += 1;
                let template = &templates[usize::try_from(seed).unwrap_or(0) % templates.len()];
                let (sweep, template, left) = (self.clone(), template.clone(), left.clone());
                jobs.spawn(async move {
                    let Ok(_turn) = sweep.turns.acquire().await else {
                        return;
                    };
                    let reserve = |left: u32| Some(left - left.min(RANDOM_KILLS));
                    let (set, get) = (Ordering::SeqCst, Ordering::SeqCst);
                    let Ok(before) = left.fetch_update(set, get, reserve) else {
                        return;
                    };
                    let kills = before.min(RANDOM_KILLS);
                    if kills == 0 {
                        return;
                    }
                    let done = sweep
                        .scenario(&template, &Play::Random { seed, kills })
                        .await;
                    left.fetch_add(kills - done.random.min(kills), Ordering::SeqCst);
                });
            }
            finish(jobs).await;
        }
    }

    async fn one(&self, template: &Template, play: &Play) {
        if let Ok(_turn) = self.turns.acquire().await {
            self.scenario(template, play).await;
        }
    }

    async fn scenario(&self, template: &Template, play: &Play) -> Kills {
        let began = Instant::now();
        let name = format!("{}: {play}", template.name);
        let (kills, findings) = match tokio::time::timeout(LONGEST, run(template, play)).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => {
                let what = format!("{error:#}");
                (Kills::default(), Findings::wrong(what))
            }
            Err(_) => {
                let what = "it did not end within half an hour";
                (Kills::default(), Findings::wrong(what))
            }
        };
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        total.scenarios += 1;
        total.boundaries += kills.boundaries;
        total.random += kills.random;
        let verdict = if findings.is_clean() { "ok" } else { "FAILED" };
        // Not eprintln!: that is shown for failed tests only.
        let _ = writeln!(
            std::io::stderr(),
            "{:>5.0}s {name}: {verdict} in {:.1}s; so far {} boundaries, {} random\n{findings}",
            self.began.elapsed().as_secs_f64(),
            began.elapsed().as_secs_f64(),
            total.boundaries,
            total.random,
        );
        total.findings.absorb(findings.within(&name));
        kills
    }
}

async fn run(template: &Template, what: &Play) -> anyhow::Result<(Kills, Findings)> {
    let mut scenario = Scenario::from(template).await?;
    let ended = async {
        let kills = play(what, &mut scenario).await?;
        anyhow::Ok((kills, scenario.findings().await?))
    }
    .await;
    match ended {
        Ok((kills, findings)) if findings.is_clean() => {
            scenario.discard().await?;
            Ok((kills, findings))
        }
        Ok((kills, mut findings)) => {
            let words = scenario.last_words();
            let folder = scenario.keep().await?;
            let where_ = format!("see {}; the log ends: {words}", folder.display());
            findings.absorb(Findings::wrong(where_));
            Ok((kills, findings))
        }
        Err(error) => {
            let folder = scenario.keep().await?;
            Err(error.context(format!("see {}", folder.display())))
        }
    }
}

/// A job that panicked is a bug of the sweep.
async fn finish(mut jobs: JoinSet<()>) {
    while let Some(ended) = jobs.join_next().await {
        ended.expect("a scenario never panics");
    }
}
