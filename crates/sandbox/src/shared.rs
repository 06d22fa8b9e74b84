//! What all handlers share: the world behind one lock, and the knobs.

use crate::config::Config;
use crate::log::RequestLog;
use crate::rng::Rng;
use crate::snapshot;
use crate::world::World;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One running sandbox. Handlers are synchronous: they take the world, change
/// it and let go; nothing is awaited while it is held.
pub struct Shared {
    pub config: Config,
    /// The address that was bound; URLs in answers are built on it.
    pub addr: SocketAddr,
    world: Mutex<World>,
    /// Counts changes of the world. An answer is sent only after a snapshot
    /// of at least the generation that it left behind has been written.
    generation: AtomicU64,
    chance: Mutex<Chance>,
    pub(crate) log: RequestLog,
    pub(crate) snapshots: snapshot::Writer,
}

/// Random faults. The dice are not part of the world: throwing them must not
/// count as a change that has to be written down.
struct Chance {
    dice: Rng,
    throttle: f64,
    error_rate: f64,
}

/// What the dice say about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Luck {
    Good,
    Throttled,
    ServerError,
}

/// The world, held. Reading through it is free; writing through it marks the
/// world as changed, so do not borrow it mutably without need.
pub struct WorldGuard<'a> {
    world: MutexGuard<'a, World>,
    generation: &'a AtomicU64,
    changed: bool,
}

impl Shared {
    pub(crate) fn new(config: Config, addr: SocketAddr, world: World, log: RequestLog) -> Self {
        let chance = Chance {
            dice: Rng::seeded_for(config.seed, "dice"),
            throttle: config.throttle,
            error_rate: config.error_rate,
        };
        Self {
            config,
            addr,
            world: Mutex::new(world),
            generation: AtomicU64::new(0),
            chance: Mutex::new(chance),
            log,
            snapshots: snapshot::Writer::default(),
        }
    }

    /// Throws the dice for one call.
    pub(crate) fn luck(&self) -> Luck {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let thrown = chance.dice.unit();
        if thrown < chance.throttle {
            Luck::Throttled
        } else if thrown < chance.throttle + chance.error_rate {
            Luck::ServerError
        } else {
            Luck::Good
        }
    }

    /// Changes the probabilities of random faults.
    pub(crate) fn set_chance(&self, throttle: Option<f64>, error_rate: Option<f64>) {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        chance.throttle = throttle.unwrap_or(chance.throttle);
        chance.error_rate = error_rate.unwrap_or(chance.error_rate);
    }

    /// Takes the world. Never hold two guards in one thread.
    pub fn world(&self) -> WorldGuard<'_> {
        WorldGuard {
            // A handler that panicked half-way answered nothing; the next
            // request is better served by what it left than by no answer.
            world: self.world.lock().unwrap_or_else(PoisonError::into_inner),
            generation: &self.generation,
            changed: false,
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// `http://127.0.0.1:4566`, without a trailing slash.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Deref for WorldGuard<'_> {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl DerefMut for WorldGuard<'_> {
    fn deref_mut(&mut self) -> &mut World {
        self.changed = true;
        &mut self.world
    }
}

impl Drop for WorldGuard<'_> {
    fn drop(&mut self) {
        if self.changed {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }
}
