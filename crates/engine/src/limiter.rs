//! Calls in flight per account, region and API, for the whole process.
//!
//! The window of each key adapts: it grows by one per window of answers and
//! halves when the cloud says "throttled", which also pauses the key for a
//! while. Keys know nothing of each other, so one customer's throttling never
//! delays another. Inside a key, waiting rollouts take turns: one with a
//! hundred nodes does not stand before one with a single node.

use landfall_model::{Clock, Timestamp};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    Create,
    Update,
    Delete,
    Poll,
    Read,
    List,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub account_id: String,
    pub region: String,
    pub api: Api,
}

/// Idle keys are forgotten beyond this many.
const KEPT: usize = 4096;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub struct Limiter {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    initial: f64,
    largest: f64,
    keys: Mutex<HashMap<Key, Window>>,
}

struct Window {
    size: f64,
    in_flight: u32,
    /// Nobody starts before this.
    not_before: Timestamp,
    /// Throttles since the last success: the pause doubles with each.
    strikes: u32,
    /// One queue per party, in turn.
    queues: VecDeque<(String, VecDeque<oneshot::Sender<Permit>>)>,
}

/// A call may be made while this lives.
pub(crate) struct Permit {
    inner: Arc<Inner>,
    key: Key,
}

impl Limiter {
    pub fn new(clock: Arc<dyn Clock>, policy: &crate::policy::CallPolicy) -> Self {
        let largest = f64::from(policy.largest_window.max(1));
        Self {
            inner: Arc::new(Inner {
                clock,
                initial: f64::from(policy.initial_window.max(1)).min(largest),
                largest,
                keys: Mutex::new(HashMap::new()),
            }),
        }
    }

    /// Waits for `party`'s turn.
    pub(crate) async fn acquire(&self, key: &Key, party: &str) -> Permit {
        let waiting = {
            let mut keys = self.inner.lock();
            if keys.len() > KEPT {
                let now = self.inner.clock.now();
                keys.retain(|_, window| !window.is_idle(now));
            }
            let window = keys
                .entry(key.clone())
                .or_insert_with(|| Window::new(self.inner.initial));
            if window.queues.is_empty() && window.has_room() {
                window.in_flight += 1;
                None
            } else {
                let (sender, receiver) = oneshot::channel();
                window.enqueue(party, sender);
                Some(receiver)
            }
        };
        let permit = match waiting {
            None => self.permit(key),
            // The sender lives in the queue until it is served, so an error
            // cannot happen; taking a slot uncounted is the harmless answer.
            Some(receiver) => match receiver.await {
                Ok(permit) => permit,
                Err(_) => {
                    if let Some(window) = self.inner.lock().get_mut(key) {
                        window.in_flight += 1;
                    }
                    self.permit(key)
                }
            },
        };
        // A pause may be made longer while somebody waits for its end.
        loop {
            let now = self.inner.clock.now();
            let until = self
                .inner
                .lock()
                .get(key)
                .map_or(now, |window| window.not_before);
            let Ok(wait @ 1..) = u64::try_from(until.millis_since(now)) else {
                return permit;
            };
            self.inner.clock.sleep(Duration::from_millis(wait)).await;
        }
    }

    fn permit(&self, key: &Key) -> Permit {
        Permit {
            inner: self.inner.clone(),
            key: key.clone(),
        }
    }

    #[cfg(test)]
    fn window(&self, key: &Key) -> f64 {
        self.inner.lock()[key].size
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Window>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn new(size: f64) -> Self {
        Self {
            size,
            in_flight: 0,
            not_before: Timestamp::default(),
            strikes: 0,
            queues: VecDeque::new(),
        }
    }

    fn has_room(&self) -> bool {
        f64::from(self.in_flight) + 1.0 <= self.size
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        self.in_flight == 0 && self.queues.is_empty() && self.not_before <= now
    }

    fn enqueue(&mut self, party: &str, sender: oneshot::Sender<Permit>) {
        match self.queues.iter_mut().find(|(name, _)| name == party) {
            Some((_, queue)) => queue.push_back(sender),
            None => self
                .queues
                .push_back((party.to_owned(), VecDeque::from([sender]))),
        }
    }

    /// The next waiter, of the party whose turn it is.
    fn next(&mut self) -> Option<oneshot::Sender<Permit>> {
        while let Some((party, mut queue)) = self.queues.pop_front() {
            // Waiters that left do not cost their party its turn.
            queue.retain(|sender| !sender.is_closed());
            let sender = queue.pop_front();
            if !queue.is_empty() {
                self.queues.push_back((party, queue));
            }
            if sender.is_some() {
                return sender;
            }
        }
        None
    }
}

impl Permit {
    /// The cloud answered, and not with "throttled".
    pub(crate) fn answered(&self) {
        if let Some(window) = self.inner.lock().get_mut(&self.key) {
            window.strikes = 0;
            window.size = (window.size + 1.0 / window.size).min(self.inner.largest);
        }
    }

    pub(crate) fn throttled(&self) {
        let now = self.inner.clock.now();
        if let Some(window) = self.inner.lock().get_mut(&self.key) {
            // Calls that were in flight together report one overload, not many.
            if now < window.not_before {
                return;
            }
            window.size = (window.size / 2.0).max(1.0);
            window.strikes = window.strikes.saturating_add(1);
            let pause = FIRST_PAUSE
                .saturating_mul(1 << (window.strikes - 1).min(10))
                .min(LONGEST_PAUSE);
            let pause = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
            window.not_before = now.plus_millis(pause);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut keys = self.inner.lock();
            if let Some(window) = keys.get_mut(&self.key) {
                window.in_flight = window.in_flight.saturating_sub(1);
            }
        }
        loop {
            let sender = {
                let mut keys = self.inner.lock();
                let Some(window) = keys.get_mut(&self.key).filter(|w| w.has_room()) else {
                    return;
                };
                let Some(sender) = window.next() else { return };
                window.in_flight += 1;
                sender
            };
            let permit = Self {
                inner: self.inner.clone(),
                key: self.key.clone(),
            };
            // Outside the lock: a waiter that went away in this moment gives
            // the permit back, and dropping it comes here again.
            drop(sender.send(permit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::CallPolicy;
    use futures::{FutureExt, future::BoxFuture};

    struct Still;
    #[async_trait::async_trait]
    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_000)
        }
        async fn sleep(&self, _: Duration) {
            std::future::pending().await
        }
    }

    fn limiter(initial: u32) -> Limiter {
        Limiter::new(
            Arc::new(Still),
            &CallPolicy {
                initial_window: initial,
                ..CallPolicy::default()
            },
        )
    }

    fn key(account: &str) -> Key {
        Key {
            account_id: account.into(),
            region: "eu-central-1".into(),
            api: Api::Create,
        }
    }

    fn ask(limiter: &Limiter, account: &str, party: &'static str) -> BoxFuture<'static, Permit> {
        let (limiter, key) = (limiter.clone(), key(account));
        async move { limiter.acquire(&key, party).await }.boxed()
    }

    #[test]
    fn parties_take_turns_and_a_waiter_that_left_is_skipped() {
        let limiter = limiter(1);
        let first = ask(&limiter, "1", "many").now_or_never().unwrap();
        let mut queued: Vec<_> = (0..3).map(|_| ask(&limiter, "1", "many")).collect();
        let mut gone = ask(&limiter, "1", "few");
        let mut few = ask(&limiter, "1", "few");
        for waiter in queued.iter_mut().chain([&mut gone, &mut few]) {
            assert!(waiter.now_or_never().is_none());
        }
        drop(gone);
        drop(first);
        let second = (&mut queued[0]).now_or_never().unwrap();
        assert!((&mut few).now_or_never().is_none());
        drop(second);
        assert!((&mut queued[1]).now_or_never().is_none(), "few's turn");
        drop((&mut few).now_or_never().expect("few's turn"));
        assert!((&mut queued[1]).now_or_never().is_some());
    }

    #[test]
    fn a_permit_given_to_a_dropped_waiter_comes_back() {
        let limiter = limiter(1);
        let first = ask(&limiter, "1", "a").now_or_never().unwrap();
        let mut served = ask(&limiter, "1", "a");
        assert!((&mut served).now_or_never().is_none());
        drop(first);
        drop(served);
        assert!(ask(&limiter, "1", "b").now_or_never().is_some());
    }

    #[test]
    fn throttling_halves_once_per_pause_and_touches_one_account_only() {
        let limiter = limiter(8);
        let a = ask(&limiter, "1", "a").now_or_never().unwrap();
        let b = ask(&limiter, "1", "a").now_or_never().unwrap();
        a.throttled();
        b.throttled();
        assert!((limiter.window(&key("1")) - 4.0).abs() < f64::EPSILON);
        assert!(ask(&limiter, "1", "a").now_or_never().is_none(), "paused");
        assert!(ask(&limiter, "2", "a").now_or_never().is_some());
    }

    #[test]
    fn the_window_grows_with_answers_up_to_its_largest() {
        let limiter = limiter(8);
        for _ in 0..2_000 {
            ask(&limiter, "1", "a").now_or_never().unwrap().answered();
        }
        assert!((limiter.window(&key("1")) - 32.0).abs() < 0.01);
    }
}
