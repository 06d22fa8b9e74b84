//! Full jitter: repetitions of many nodes must not come at once.

use crate::policy::RetryPolicy;
use landfall_model::Entropy;
use std::time::Duration;

/// A wait before repetition number `tries` (from 1).
pub(crate) fn delay(policy: &RetryPolicy, entropy: &dyn Entropy, tries: u32) -> Duration {
    jitter(policy.base, policy.cap, entropy, tries)
}

pub(crate) fn jitter(base: Duration, cap: Duration, entropy: &dyn Entropy, tries: u32) -> Duration {
    let bound = base
        .saturating_mul(1 << tries.saturating_sub(1).min(16))
        .min(cap);
    let bound = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
    // Never zero: a repetition at once is what overload is made of.
    Duration::from_millis(1 + entropy.below(bound.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full;
    impl Entropy for Full {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xfe);
        }
    }

    #[test]
    fn waits_grow_to_the_cap_and_never_overflow() {
        let policy = RetryPolicy::default();
        for tries in [0, 1, 5, 40, u32::MAX] {
            let wait = delay(&policy, &Full, tries);
            assert!(wait > Duration::ZERO && wait <= policy.cap, "{tries}");
        }
    }
}
