//! The issuer's signing keys and their lives.
//!
//! A key is published before it signs, for as long as anybody may keep an older
//! copy of the key set; and it stays published after it signed, until what it
//! signed has expired. So at every instant each assertion that is valid can be
//! verified with the keys served now, and with those served a cache time ago.

use crate::{Timestamp, issuer::LIFETIME, vault::Sealed};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// For how long we ask everybody to keep the key set at most (`Cache-Control:
/// max-age`).
pub const MAX_AGE: Duration = Duration::from_secs(15 * 60);

/// For how long anybody is assumed to keep it all the same. None of the clouds
/// promises to look at [`MAX_AGE`], and waiting a day for a new key costs
/// nothing.
pub const CACHE_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Added to each waiting time: for a cloud whose clock differs from ours, and
/// for another replica that read the keys just before they changed.
pub const LEEWAY: Duration = Duration::from_secs(5 * 60);

/// RSA, 2,048 bits, for RS256: the one kind that all three clouds take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// The key's RFC 7638 thumbprint, which is its `kid`.
    pub id: String,
    pub state: State,
    /// The public key as it stands in the key set.
    pub public_jwk: Value,
    pub created_at: Timestamp,
    /// Counts writes from 1.
    pub version: u64,
}

/// Where a key is in its life. There is no way back. The private key (PKCS#8
/// DER, sealed) is there only while it will sign or does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Served, not signing yet.
    Published { since: Timestamp, private: Sealed },
    /// Signs. One key at most is in this state.
    Active { since: Timestamp, private: Sealed },
    /// Served, no longer signing: what it signed may still be under way.
    Retiring { since: Timestamp },
    /// Neither served nor signing.
    Retired { since: Timestamp },
}

impl State {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Published { .. } => "published",
            Self::Active { .. } => "active",
            Self::Retiring { .. } => "retiring",
            Self::Retired { .. } => "retired",
        }
    }

    pub const fn since(&self) -> Timestamp {
        match self {
            Self::Published { since, .. }
            | Self::Active { since, .. }
            | Self::Retiring { since }
            | Self::Retired { since } => *since,
        }
    }

    /// Whether it belongs in the key set.
    pub const fn is_served(&self) -> bool {
        !matches!(self, Self::Retired { .. })
    }

    pub const fn private(&self) -> Option<&Sealed> {
        match self {
            Self::Published { private, .. } | Self::Active { private, .. } => Some(private),
            Self::Retiring { .. } | Self::Retired { .. } => None,
        }
    }
}

/// A step that a key's life does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStep {
    #[error("a key that is {from} cannot become {to}")]
    Order {
        from: &'static str,
        to: &'static str,
    },
    #[error("the key may become {to} at {at}, not before")]
    TooEarly { to: &'static str, at: Timestamp },
}

impl SigningKey {
    /// When a published key may begin to sign, or a retiring one may go.
    /// `None` where no time is waited for.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Published { since, .. } => Some(since.plus(CACHE_TIME + LEEWAY)),
            State::Retiring { since } => Some(since.plus(LIFETIME + LEEWAY)),
            State::Active { .. } | State::Retired { .. } => None,
        }
    }

    /// The first key of an issuer signs at once: there is no older key set that
    /// anybody could have kept.
    pub fn activate_first(self, now: Timestamp) -> Result<Self, InvalidStep> {
        match self.state.clone() {
            State::Published { private, .. } => Ok(self.into_state(State::Active {
                since: now,
                private,
            })),
            from => Err(out_of_order(&from, "active")),
        }
    }

    /// Signs from now on: everybody has seen it by now.
    pub fn activate(self, now: Timestamp) -> Result<Self, InvalidStep> {
        match (&self.state, self.due_at()) {
            (State::Published { .. }, Some(at)) if now < at => {
                Err(InvalidStep::TooEarly { to: "active", at })
            }
            _ => self.activate_first(now),
        }
    }

    /// Signs no longer, and is served until the last assertion has expired. Its
    /// private key goes now.
    pub fn stop(self, now: Timestamp) -> Result<Self, InvalidStep> {
        match self.state {
            State::Active { .. } => Ok(self.into_state(State::Retiring { since: now })),
            ref from => Err(out_of_order(from, "retiring")),
        }
    }

    /// Is served no longer.
    pub fn retire(self, now: Timestamp) -> Result<Self, InvalidStep> {
        match (&self.state, self.due_at()) {
            (State::Retiring { .. }, Some(at)) if now < at => {
                Err(InvalidStep::TooEarly { to: "retired", at })
            }
            (State::Retiring { .. }, _) => Ok(self.into_state(State::Retired { since: now })),
            (from, _) => Err(out_of_order(from, "retired")),
        }
    }

    /// The same key in the same state, its private key sealed anew. `None` when
    /// there is no private key any more.
    pub fn resealed(self, sealed: Sealed) -> Option<Self> {
        let state = match self.state {
            State::Published { since, .. } => State::Published {
                since,
                private: sealed,
            },
            State::Active { since, .. } => State::Active {
                since,
                private: sealed,
            },
            State::Retiring { .. } | State::Retired { .. } => return None,
        };
        Some(self.into_state(state))
    }

    fn into_state(self, state: State) -> Self {
        Self {
            state,
            version: self.version.saturating_add(1),
            ..self
        }
    }

    /// The name under which its private key is sealed.
    pub fn record(id: &str) -> String {
        format!("issuer/{id}/signing-key")
    }
}

fn out_of_order(from: &State, to: &'static str) -> InvalidStep {
    InvalidStep::Order {
        from: from.as_str(),
        to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const T: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn key(state: State) -> SigningKey {
        SigningKey {
            id: "kid".into(),
            state,
            public_jwk: json!({}),
            created_at: T,
            version: 1,
        }
    }

    fn states() -> [State; 4] {
        let private = Sealed::parse("lf1.1.AAAA.BBBB").unwrap();
        [
            State::Published {
                since: T,
                private: private.clone(),
            },
            State::Active { since: T, private },
            State::Retiring { since: T },
            State::Retired { since: T },
        ]
    }

    #[test]
    fn a_key_goes_through_its_life_and_each_step_counts() {
        let [state, ..] = states();
        let published = key(state);
        let ready = published.due_at().unwrap();
        assert_eq!(
            published.clone().activate(ready.plus_millis(-1)),
            Err(InvalidStep::TooEarly {
                to: "active",
                at: ready
            })
        );
        let active = published.activate(ready).unwrap();
        assert_eq!((active.state.as_str(), active.version), ("active", 2));
        assert_eq!(active.due_at(), None);
        let retiring = active.stop(ready).unwrap();
        assert_eq!(retiring.state.private(), None);
        let end = retiring.due_at().unwrap();
        assert!(end.millis_since(ready) >= i64::try_from(LIFETIME.as_millis()).unwrap());
        assert!(retiring.clone().retire(end.plus_millis(-1)).is_err());
        let retired = retiring.retire(end).unwrap();
        assert_eq!((retired.state.as_str(), retired.version), ("retired", 4));
        assert!(!retired.state.is_served());
    }

    #[test]
    fn no_other_step_is_taken() {
        let far = T.plus_millis(1_000_000_000);
        for (index, state) in states().into_iter().enumerate() {
            let allowed = |step: usize, result: Result<SigningKey, InvalidStep>| {
                assert_eq!(result.is_ok(), step == index, "{state:?}: {result:?}");
            };
            allowed(0, key(state.clone()).activate(far));
            allowed(0, key(state.clone()).activate_first(far));
            allowed(1, key(state.clone()).stop(far));
            allowed(2, key(state.clone()).retire(far));
        }
    }

    #[test]
    fn a_private_key_is_sealed_anew_where_there_is_one() {
        let sealed = Sealed::parse("lf1.2.CCCC.DDDD").unwrap();
        for state in states() {
            let before = key(state);
            let after = before.clone().resealed(sealed.clone());
            assert_eq!(after.is_some(), before.state.private().is_some());
            if let Some(after) = after {
                assert_eq!(after.state.as_str(), before.state.as_str());
                assert_eq!(after.state.private(), Some(&sealed));
                assert_eq!(after.version, 2);
            }
        }
    }

    #[test]
    fn a_key_reads_back() {
        for state in states() {
            let written = serde_json::to_string(&key(state.clone())).unwrap();
            let read: SigningKey = serde_json::from_str(&written).unwrap();
            assert_eq!(read, key(state));
        }
    }
}
