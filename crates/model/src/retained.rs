//! What is no longer wanted but still in the account.

use crate::{
    Timestamp,
    approval::Approval,
    digest::Digest,
    driver::Failure,
    graph::Address,
    id::{ConnectionId, DestructionId, EnvironmentId, OrganizationId, RetainedId},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = RetainedReason)]
pub enum Reason {
    /// Taken out of the Score file or the blueprint.
    NoLongerWanted,
    /// A replacement was made beside it.
    Replaced,
    /// An older revision of a free, immutable type.
    Superseded,
    EnvironmentDeleted,
    ApplicationDeleted,
    /// A failed create left it behind.
    LeftBehind,
}

impl Reason {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoLongerWanted => "no-longer-wanted",
            Self::Replaced => "replaced",
            Self::Superseded => "superseded",
            Self::EnvironmentDeleted => "environment-deleted",
            Self::ApplicationDeleted => "application-deleted",
            Self::LeftBehind => "left-behind",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
#[schema(as = RetainedState)]
pub enum State {
    Retained,
    /// Approved by a person; the reaper is at work or will be.
    Destroying {
        destruction_id: DestructionId,
        approval: Approval,
    },
    /// The last destruction failed; it is still there and still retained.
    DestructionFailed {
        destruction_id: DestructionId,
        failure: Failure,
        at: Timestamp,
    },
    Destroyed {
        destruction_id: DestructionId,
        approval: Approval,
        at: Timestamp,
    },
    /// A person said that it is no longer Landfall's business. It stays in the
    /// account.
    Forgotten {
        at: Timestamp,
        by: String,
    },
}

#[derive(Debug, thiserror::Error)]
#[error("a retained resource that is {from} cannot become {to}")]
pub struct InvalidTransition {
    pub from: &'static str,
    pub to: &'static str,
}

impl State {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Retained => "retained",
            Self::Destroying { .. } => "destroying",
            Self::DestructionFailed { .. } => "destruction-failed",
            Self::Destroyed { .. } => "destroyed",
            Self::Forgotten { .. } => "forgotten",
        }
    }

    /// Still in the account and in the list.
    pub const fn is_open(&self) -> bool {
        matches!(
            self,
            Self::Retained | Self::Destroying { .. } | Self::DestructionFailed { .. }
        )
    }

    fn refuse(&self, to: &'static str) -> InvalidTransition {
        InvalidTransition {
            from: self.as_str(),
            to,
        }
    }

    pub fn destroying(
        self,
        destruction_id: DestructionId,
        approval: Approval,
    ) -> Result<Self, InvalidTransition> {
        match self {
            Self::Retained | Self::DestructionFailed { .. } => Ok(Self::Destroying {
                destruction_id,
                approval,
            }),
            _ => Err(self.refuse("destroying")),
        }
    }

    pub fn destroyed(self, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self {
            Self::Destroying {
                destruction_id,
                approval,
            } => Ok(Self::Destroyed {
                destruction_id,
                approval,
                at: now,
            }),
            _ => Err(self.refuse("destroyed")),
        }
    }

    pub fn destruction_failed(
        self,
        now: Timestamp,
        failure: Failure,
    ) -> Result<Self, InvalidTransition> {
        match self {
            Self::Destroying { destruction_id, .. } => Ok(Self::DestructionFailed {
                destruction_id,
                failure,
                at: now,
            }),
            _ => Err(self.refuse("destruction-failed")),
        }
    }

    pub fn forgotten(self, now: Timestamp, by: String) -> Result<Self, InvalidTransition> {
        match self {
            Self::Retained | Self::DestructionFailed { .. } => Ok(Self::Forgotten { at: now, by }),
            _ => Err(self.refuse("forgotten")),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Retained {
    pub id: RetainedId,
    pub organization_id: OrganizationId,
    pub connection_id: ConnectionId,
    pub environment_id: EnvironmentId,
    /// For people, after the environment is gone: `shop/production`.
    pub environment_name: String,
    pub address: Address,
    pub type_name: String,
    pub title: String,
    pub identifier: String,
    pub account_id: String,
    pub region: String,
    pub stateful: bool,
    pub reason: Reason,
    pub since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_cents: Option<u32>,
    pub state: State,
    pub version: u64,
}

impl Retained {
    /// What a person types to approve the destruction: what the cloud's console
    /// shows as the name. Of an ARN its last part; of an identifier of several
    /// parts the ARN's, or else the last.
    pub fn typed_name(&self) -> &str {
        let id = self.identifier.as_str();
        let mut parts = id.split('|');
        let name = match parts.next() {
            Some(arn) if arn.starts_with("arn:") => arn.rsplit(['/', ':']).next(),
            first => parts.next_back().or(first),
        };
        name.filter(|name| !name.is_empty()).unwrap_or(id)
    }

    /// What an approval of its destruction binds to.
    pub fn digest(&self) -> Digest {
        Digest::of_bytes(
            [
                self.id.as_str(),
                &self.account_id,
                &self.region,
                &self.type_name,
                &self.identifier,
            ]
            .join("\n")
            .as_bytes(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entropy;

    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn retained(identifier: &str) -> Retained {
        let now = Timestamp::from_millis(1);
        Retained {
            id: RetainedId::at(now, &Zero),
            organization_id: OrganizationId::at(now, &Zero),
            connection_id: ConnectionId::at(now, &Zero),
            environment_id: EnvironmentId::at(now, &Zero),
            environment_name: "shop/production".into(),
            address: Address::new("db.instance"),
            type_name: "AWS::RDS::DBInstance".into(),
            title: "Database".into(),
            identifier: identifier.into(),
            account_id: "123456789012".into(),
            region: "eu-central-1".into(),
            stateful: true,
            reason: Reason::NoLongerWanted,
            since: now,
            monthly_cents: None,
            state: State::Retained,
            version: 1,
        }
    }

    #[test]
    fn the_typed_name_is_what_the_console_shows() {
        for (identifier, name) in [
            ("landfall-shop-db", "landfall-shop-db"),
            (
                "arn:aws:secretsmanager:eu-central-1:123456789012:secret:landfall-key-Ab12Cd",
                "landfall-key-Ab12Cd",
            ),
            (
                "arn:aws:ecs:eu-central-1:123456789012:service/shop/web|shop",
                "web",
            ),
            ("rtb-0a1b|0.0.0.0/0", "0.0.0.0/0"),
            ("203.0.113.7|eipalloc-0a1b", "eipalloc-0a1b"),
            ("/landfall/shop/logs", "/landfall/shop/logs"),
        ] {
            assert_eq!(retained(identifier).typed_name(), name, "{identifier}");
        }
    }

    #[test]
    fn the_digest_is_of_this_resource_alone() {
        assert_eq!(retained("a").digest(), retained("a").digest());
        assert_ne!(retained("a").digest(), retained("b").digest());
    }

    #[test]
    fn what_is_destroyed_or_forgotten_is_over() {
        let forgotten = State::Retained.forgotten(Timestamp::from_millis(2), "a".into());
        let forgotten = forgotten.unwrap();
        assert!(!forgotten.is_open());
        assert!(
            forgotten
                .clone()
                .destroyed(Timestamp::from_millis(3))
                .is_err()
        );
        assert!(
            forgotten
                .forgotten(Timestamp::from_millis(3), "b".into())
                .is_err()
        );
        assert!(
            State::Retained
                .destroyed(Timestamp::from_millis(2))
                .is_err()
        );
    }
}
