//! The two times of the sandbox.
//!
//! *Simulated time* runs `speed` times faster than the machine's clock. What
//! the cloud does takes simulated time: latencies of operations, the 36 hours
//! of an idempotency token, the lag with which IAM changes take effect.
//!
//! *Wall time* runs at the machine's pace. What a client compares with its own
//! clock uses wall time: the date of a signature and the expiry of a session.
//! With `--speed 600` an hour of simulated time passes in six seconds; a
//! session that died with it would be refreshed by nobody, since SDKs refresh
//! by the machine's clock.
//!
//! `POST /_sandbox/clock` moves *both*: thirty-seven hours later, tokens are
//! forgotten and sessions are dead.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;

/// An instant, in milliseconds since the Unix epoch. Whether it counts
/// simulated or wall time is said where it is kept.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Instant(pub i64);

/// An instant of simulated time.
pub type SimTime = Instant;
/// An instant of wall time (including what the clock was moved by).
pub type WallTime = Instant;

impl Instant {
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// The time since `earlier`, zero when `earlier` is in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Seconds with a fraction, as JSON protocols write timestamps.
    pub fn epoch_seconds_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// `2026-11-21T08:00:00Z`, as the query protocol writes timestamps.
    pub fn iso8601(self) -> String {
        format!("{}Z", self.date_and_time())
    }

    /// `2026-11-21T08:00:00.123Z`
    pub fn iso8601_millis(self) -> String {
        format!("{}.{:03}Z", self.date_and_time(), self.0.rem_euclid(1000))
    }

    fn date_and_time(self) -> String {
        let at = OffsetDateTime::from_unix_timestamp(self.unix_seconds())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        )
    }
}

/// Where machine time comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Source {
    #[default]
    Machine,
    /// Stands still at these milliseconds, for tests of pure functions.
    #[cfg(test)]
    Frozen(i64),
}

/// Both times, as one value that a snapshot carries. Time goes on while the
/// sandbox is down, as it does in a cloud that a client cannot reach.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SimClock {
    /// Machine time at which `origin_sim` was the simulated time.
    origin_machine: i64,
    origin_sim: i64,
    speed: f64,
    /// What `/_sandbox/clock` added to both times so far.
    moved: i64,
    #[serde(skip)]
    source: Source,
}

impl SimClock {
    pub fn start(speed: f64) -> Self {
        Self::start_from(Source::Machine, speed)
    }

    fn start_from(source: Source, speed: f64) -> Self {
        let machine = read(source);
        Self {
            origin_machine: machine,
            origin_sim: machine,
            speed,
            moved: 0,
            source,
        }
    }

    /// A clock that stands still until it is moved.
    #[cfg(test)]
    pub fn frozen(at: Instant) -> Self {
        Self::start_from(Source::Frozen(at.0), 1.0)
    }

    /// Continues at another pace, from the time it is now.
    pub fn set_speed(&mut self, speed: f64) {
        if speed == self.speed {
            return;
        }
        let machine = read(self.source);
        self.origin_sim = self.sim_unmoved(machine);
        self.origin_machine = machine;
        self.speed = speed;
    }

    pub fn speed(&self) -> f64 {
        self.speed
    }

    pub fn now(&self) -> SimTime {
        Instant(self.sim_unmoved(read(self.source)) + self.moved)
    }

    pub fn wall(&self) -> WallTime {
        Instant(read(self.source) + self.moved)
    }

    /// The machine's own time, never moved.
    pub fn machine(&self) -> Instant {
        Instant(read(self.source))
    }

    /// What the clock was moved by in all.
    pub fn moved(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.moved).unwrap_or(0))
    }

    pub fn advance(&mut self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.moved = self.moved.saturating_add(millis);
    }

    fn sim_unmoved(&self, machine: i64) -> i64 {
        let elapsed = (machine - self.origin_machine).max(0) as f64;
        self.origin_sim + (elapsed * self.speed) as i64
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox's own clock is one of the two places that may read the machine's"
)]
fn read(source: Source) -> i64 {
    match source {
        #[cfg(test)]
        Source::Frozen(millis) => millis,
        Source::Machine => {
            let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
            i64::try_from(now).unwrap_or(i64::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_simulated_time_hurries_and_a_move_shifts_both() {
        let mut clock = SimClock::frozen(Instant(1_000_000));
        clock.speed = 600.0;
        clock.source = Source::Frozen(1_001_000);
        assert_eq!(clock.now(), Instant(1_600_000));
        assert_eq!(clock.wall(), Instant(1_001_000));
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(clock.now(), Instant(5_200_000));
        assert_eq!(clock.wall(), Instant(4_601_000));
        assert_eq!(clock.machine(), Instant(1_001_000));
    }

    #[test]
    fn another_speed_continues_without_a_jump() {
        let mut clock = SimClock::frozen(Instant(0));
        clock.speed = 100.0;
        clock.source = Source::Frozen(50);
        clock.set_speed(2.0);
        assert_eq!(clock.now(), Instant(5_000));
        clock.source = Source::Frozen(60);
        assert_eq!(clock.now(), Instant(5_020));
    }

    #[test]
    fn dates_are_written_as_aws_writes_them() {
        let at = Instant(1_448_092_800_123);
        assert_eq!(at.iso8601(), "2015-11-21T08:00:00Z");
        assert_eq!(at.iso8601_millis(), "2015-11-21T08:00:00.123Z");
    }
}
