use landfall_model::{Clock, Entropy, Timestamp};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// 2026-01-01
const START: i64 = 1_767_225_600_000;

/// Stands still until it is moved.
pub struct Hand(watch::Sender<i64>);

impl Default for Hand {
    fn default() -> Self {
        Self(watch::Sender::new(START))
    }
}

impl Hand {
    pub fn advance(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap();
        self.0.send_modify(|now| *now += millis);
    }
}

#[async_trait::async_trait]
impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(*self.0.borrow())
    }

    async fn sleep(&self, duration: Duration) {
        let until = *self.0.borrow() + i64::try_from(duration.as_millis()).unwrap();
        let mut now = self.0.subscribe();
        let _ = now.wait_for(|now| *now >= until).await;
    }
}

/// A thousand times as fast as the machine's.
pub struct Swift {
    started: Instant,
    /// Milliseconds that were passed over.
    skipped: AtomicI64,
}

impl Default for Swift {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            skipped: AtomicI64::new(0),
        }
    }
}

impl Swift {
    /// So much later, at once.
    pub fn skip(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap();
        self.skipped.fetch_add(millis, Ordering::SeqCst);
    }
}

const SPEED: u32 = 1000;

#[async_trait::async_trait]
impl Clock for Swift {
    fn now(&self) -> Timestamp {
        let passed = self.started.elapsed() * SPEED;
        Timestamp::from_millis(START)
            .plus_millis(i64::try_from(passed.as_millis()).unwrap())
            .plus_millis(self.skipped.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration / SPEED).await;
    }
}

/// The same bytes in every run (SplitMix64).
pub struct Seeded(AtomicU64);

impl Default for Seeded {
    fn default() -> Self {
        // Several worlds in one test must not make the same tokens.
        static WORLDS: Mutex<u64> = Mutex::new(0);
        let mut worlds = WORLDS.lock().unwrap();
        *worlds += 1;
        Self(AtomicU64::new(*worlds << 40))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}
