//! The life of a connection.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a connection is in its life.
///
/// `Pending → (Propagating) → Connected ⇄ Degraded`, from all of these to
/// `Revoked` (found in the cloud, heals when granted again) and `Disconnected`
/// (said by a person, final).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
#[schema(as = ConnectionState)]
pub enum State {
    /// Waiting for the customer to make the grant; detection looks for it.
    Pending { since: Timestamp },
    /// The grant was seen, but the cloud's identity has not settled. A denial
    /// counts only after `deadline`.
    Propagating {
        since: Timestamp,
        deadline: Timestamp,
    },
    /// Every check passed or warned at the last run.
    Connected { since: Timestamp },
    /// Assumable, but a check failed: no new rollout starts.
    Degraded {
        since: Timestamp,
        failed_checks: Vec<String>,
    },
    /// The grant is gone or refuses us. Workloads in the account are
    /// unaffected; Landfall stops asking except for a slow look for its return.
    Revoked { since: Timestamp, reason: String },
    /// A person ended it. The ledger of what remains in the account is kept.
    Disconnected { at: Timestamp },
}

#[derive(Debug, thiserror::Error)]
#[error("a connection that is {from} cannot become {to}")]
pub struct InvalidTransition {
    pub from: &'static str,
    pub to: &'static str,
}

impl State {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Propagating { .. } => "propagating",
            Self::Connected { .. } => "connected",
            Self::Degraded { .. } => "degraded",
            Self::Revoked { .. } => "revoked",
            Self::Disconnected { .. } => "disconnected",
        }
    }

    /// A rollout may start only on a connected one.
    pub const fn can_provision(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }

    /// Clouds are eventually consistent: for a while after the grant a denial
    /// means nothing. Before the grant was ever seen there is no deadline yet.
    pub fn is_settling(&self, now: Timestamp) -> bool {
        match self {
            Self::Pending { .. } => true,
            Self::Propagating { deadline, .. } => now < *deadline,
            _ => false,
        }
    }

    fn refuse(&self, to: &'static str) -> InvalidTransition {
        InvalidTransition {
            from: self.as_str(),
            to,
        }
    }

    fn ended(&self) -> bool {
        matches!(self, Self::Disconnected { .. })
    }

    pub fn propagating(
        self,
        now: Timestamp,
        deadline: Timestamp,
    ) -> Result<Self, InvalidTransition> {
        match self {
            Self::Pending { .. } | Self::Revoked { .. } => Ok(Self::Propagating {
                since: now,
                deadline,
            }),
            // Seeing it again does not move the deadline: else it never ends.
            Self::Propagating { .. } => Ok(self),
            _ => Err(self.refuse("propagating")),
        }
    }

    pub fn connected(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self {
            Self::Connected { .. } => Ok(self),
            _ if self.ended() => Err(self.refuse("connected")),
            _ => Ok(Self::Connected { since: now }),
        }
    }

    pub fn degraded(
        self,
        now: Timestamp,
        failed_checks: Vec<String>,
    ) -> Result<Self, InvalidTransition> {
        match self {
            Self::Degraded { since, .. } => Ok(Self::Degraded {
                since,
                failed_checks,
            }),
            _ if self.ended() => Err(self.refuse("degraded")),
            _ => Ok(Self::Degraded {
                since: now,
                failed_checks,
            }),
        }
    }

    pub fn revoked(self, now: Timestamp, reason: String) -> Result<Self, InvalidTransition> {
        match self {
            Self::Revoked { since, .. } => Ok(Self::Revoked { since, reason }),
            Self::Pending { .. } => Err(self.refuse("revoked")),
            _ if self.ended() => Err(self.refuse("revoked")),
            _ => Ok(Self::Revoked { since: now, reason }),
        }
    }

    pub fn disconnected(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self {
            Self::Disconnected { .. } => Err(self.refuse("disconnected")),
            _ => Ok(Self::Disconnected { at: now }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn seeing_the_grant_twice_keeps_the_deadline() {
        let state = State::Pending { since: at(0) }
            .propagating(at(1), at(100))
            .unwrap();
        let state = state.propagating(at(50), at(150)).unwrap();
        assert_eq!(
            state,
            State::Propagating {
                since: at(1),
                deadline: at(100)
            }
        );
    }

    #[test]
    fn disconnected_is_final_and_pending_cannot_be_revoked() {
        let ended = State::Disconnected { at: at(1) };
        assert!(ended.clone().connected(at(2)).is_err());
        assert!(ended.clone().degraded(at(2), vec![]).is_err());
        assert!(ended.clone().revoked(at(2), String::new()).is_err());
        assert!(ended.clone().propagating(at(2), at(3)).is_err());
        assert!(ended.disconnected(at(2)).is_err());
        assert!(
            State::Pending { since: at(0) }
                .revoked(at(1), String::new())
                .is_err()
        );
    }

    #[test]
    fn a_revoked_connection_heals() {
        let state = State::Connected { since: at(0) }
            .revoked(at(1), "role deleted".into())
            .unwrap();
        assert!(!state.can_provision());
        assert!(state.connected(at(2)).unwrap().can_provision());
    }
}
