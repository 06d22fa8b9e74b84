use async_trait::async_trait;
use landfall_model::{Clock, Timestamp};
use std::time::{Duration, SystemTime};

/// The machine's clock: the only place in the product that reads it.
///
/// A debug build may live ahead of it, by `LANDFALL_CLOCK_OFFSET_SECONDS`: how
/// the kill sweep starts a server a day and a half after it was killed. What
/// is signed still carries the machine's own time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the clock parameter gets its value"
    )]
    fn now(&self) -> Timestamp {
        let millis = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |passed| passed.as_millis());
        let now = Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        now.plus_millis(ahead())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(debug_assertions)]
fn ahead() -> i64 {
    static AHEAD: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *AHEAD.get_or_init(|| {
        std::env::var("LANDFALL_CLOCK_OFFSET_SECONDS")
            .ok()
            .and_then(|seconds| seconds.parse::<i64>().ok())
            .map_or(0, |seconds| seconds.saturating_mul(1000))
    })
}

#[cfg(not(debug_assertions))]
const fn ahead() -> i64 {
    0
}
