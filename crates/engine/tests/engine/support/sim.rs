//! Simulated time and sudden death.
//!
//! [`Sim::drive`] polls one future. When nothing can go on, the clock jumps to
//! the next sleeper: hours pass in microseconds, and always the same way. A
//! [`Killer`] drops the future at a chosen crossing (before or after a commit
//! or a call), which is what SIGKILL does to it.

use async_trait::async_trait;
use futures::task::{ArcWake, waker};
use landfall_model::{Clock, Entropy, Timestamp};
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

pub struct SimClock {
    inner: Mutex<Sleepers>,
}

#[derive(Default)]
struct Sleepers {
    now: i64,
    next: u64,
    waiting: Vec<(i64, u64, Waker)>,
}

impl SimClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Sleepers {
                now: 1_800_000_000_000,
                ..Sleepers::default()
            }),
        })
    }

    /// Time passes while nobody runs.
    pub fn advance(&self, duration: Duration) {
        self.inner.lock().unwrap().now += duration.as_millis() as i64;
    }

    fn jump(&self) -> bool {
        let mut inner = self.inner.lock().unwrap();
        let Some(earliest) = inner.waiting.iter().map(|(at, ..)| *at).min() else {
            return false;
        };
        inner.now = inner.now.max(earliest);
        let now = inner.now;
        inner.waiting.retain(|(at, _, waker)| {
            if *at <= now {
                waker.wake_by_ref();
            }
            *at > now
        });
        true
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.inner.lock().unwrap().now)
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.now().plus_millis(duration.as_millis() as i64);
        Sleep {
            clock: self,
            until: until.as_millis(),
            id: None,
        }
        .await;
    }
}

struct Sleep<'a> {
    clock: &'a SimClock,
    until: i64,
    id: Option<u64>,
}

impl Sleep<'_> {
    fn leave(&self, inner: &mut Sleepers) {
        inner.waiting.retain(|(_, id, _)| Some(*id) != self.id);
    }
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.clock.inner.lock().unwrap();
        self.leave(&mut inner);
        if inner.now >= self.until {
            return Poll::Ready(());
        }
        inner.next += 1;
        let id = inner.next;
        inner
            .waiting
            .push((self.until, id, context.waker().clone()));
        drop(inner);
        self.id = Some(id);
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        let mut inner = self.clock.inner.lock().unwrap();
        self.leave(&mut inner);
    }
}

/// SplitMix64.
pub struct Seeded(AtomicU64);

impl Seeded {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }

    pub fn next(&self) -> u64 {
        let state = self
            .0
            .fetch_add(0x9e37_79b9_7f4a_7c15, SeqCst)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True in `percent` of a hundred.
    pub fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Counts crossings, and kills at one of them.
#[derive(Default)]
pub struct Killer {
    crossed: AtomicU64,
    at: AtomicU64,
    killed: AtomicBool,
}

impl Killer {
    /// Kill at this crossing, counted from now, from 1.
    pub fn arm(&self, at: u64) {
        self.crossed.store(0, SeqCst);
        self.at.store(at, SeqCst);
        self.killed.store(false, SeqCst);
    }

    /// Never again. The count stays to be read.
    pub fn disarm(&self) {
        self.at.store(0, SeqCst);
        self.killed.store(false, SeqCst);
    }

    pub fn crossed(&self) -> u64 {
        self.crossed.load(SeqCst)
    }

    pub async fn cross(&self) {
        let crossing = self.crossed.fetch_add(1, SeqCst) + 1;
        assert!(crossing < 50_000, "it goes on for ever");
        if crossing == self.at.load(SeqCst) {
            self.killed.store(true, SeqCst);
            std::future::pending::<()>().await;
        }
    }
}

pub struct Sim {
    pub clock: Arc<SimClock>,
    pub killer: Arc<Killer>,
    /// Real input or output under way: time must not jump meanwhile.
    pub busy: Arc<AtomicUsize>,
    /// Where that input and output happens.
    pub runtime: Option<Arc<tokio::runtime::Runtime>>,
}

#[derive(Default)]
struct Wake {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl ArcWake for Wake {
    fn wake_by_ref(this: &Arc<Self>) {
        *this.woken.lock().unwrap() = true;
        this.changed.notify_all();
    }
}

impl Sim {
    pub fn new() -> Self {
        Self {
            clock: SimClock::new(),
            killer: Arc::default(),
            busy: Arc::default(),
            runtime: None,
        }
    }

    /// The future's result, or `None` if it was killed.
    pub fn drive<F: Future>(&self, future: F) -> Option<F::Output> {
        let runtime = self.runtime.clone();
        let _guard = runtime.as_ref().map(|runtime| runtime.enter());
        let mut future = pin!(future);
        let wake = Arc::new(Wake::default());
        let waker = waker(wake.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            *wake.woken.lock().unwrap() = false;
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
            if self.killer.killed.load(SeqCst) {
                return None;
            }
            let mut woken = wake.woken.lock().unwrap();
            while !*woken && self.busy.load(SeqCst) > 0 {
                let (guard, timeout) = wake
                    .changed
                    .wait_timeout(woken, Duration::from_secs(60))
                    .unwrap();
                assert!(!timeout.timed_out(), "the store did not answer");
                woken = guard;
            }
            if !*woken {
                drop(woken);
                assert!(self.clock.jump(), "nothing will ever happen again");
            }
        }
    }
}
