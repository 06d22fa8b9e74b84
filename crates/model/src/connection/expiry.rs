//! The end of a secret, and when to warn of it.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// How soon a secret ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SecretExpiry)]
pub struct Expiry {
    pub at: Timestamp,
    /// Whole days, rounded down; negative once it is over.
    pub days_left: i64,
    /// The smallest of [`Expiry::WARNINGS`] that is reached; 0 once it is over;
    /// absent while there is nothing to warn of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning_days: Option<u16>,
}

impl Expiry {
    /// So many days before the end people are warned, each time more urgently.
    pub const WARNINGS: [u16; 5] = [1, 7, 14, 30, 60];

    pub fn of(at: Timestamp, now: Timestamp) -> Self {
        const DAY: i64 = 24 * 3600 * 1000;
        let left = at.millis_since(now);
        let reached = |days: &u16| left <= i64::from(*days) * DAY;
        Self {
            at,
            days_left: left.div_euclid(DAY),
            warning_days: if left <= 0 {
                Some(0)
            } else {
                Self::WARNINGS.into_iter().find(reached)
            },
        }
    }

    pub const fn is_over(&self) -> bool {
        matches!(self.warning_days, Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn the_warnings_of_a_secret_that_ends_grow_more_urgent() {
        const HOUR: i64 = 3600 * 1000;
        let end = at(1_000 * 24 * HOUR);
        let warned = |hours: i64| Expiry::of(end, end.plus_millis(-hours * HOUR)).warning_days;
        for (hours, days) in [
            (61 * 24, None),
            (60 * 24, Some(60)),
            (31 * 24, Some(60)),
            (30 * 24, Some(30)),
            (14 * 24, Some(14)),
            (8 * 24, Some(14)),
            (7 * 24, Some(7)),
            (24, Some(1)),
            (1, Some(1)),
            (0, Some(0)),
            (-24, Some(0)),
        ] {
            assert_eq!(warned(hours), days, "{hours} hours before");
        }
        assert_eq!(Expiry::of(end, end.plus_millis(-30 * HOUR)).days_left, 1);
        assert_eq!(Expiry::of(end, end.plus_millis(HOUR)).days_left, -1);
    }
}
