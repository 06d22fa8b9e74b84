//! The real binary, driven from outside: processes that can be killed, a client
//! of the API, the customer at the console, and the comparison of what the
//! server knows with what the account holds.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test target that includes this uses another part of it"
)]

pub mod api;
pub mod cloud;
pub mod compare;
#[path = "../../src/commands/demo/customer/mod.rs"]
pub mod customer;
pub mod journey;
pub mod postgres;
pub mod process;
pub mod scene;
pub mod server;

use std::time::Duration;

/// How much faster than AWS the simulated account is. Faster would make its 36
/// hours of remembering a token shorter than the time between a kill and its
/// recovery, which is never so with the real one.
pub const SPEED: f64 = 600.0;

/// No single step of a test takes longer on any machine.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Small, seeded, and the same on every machine.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}
