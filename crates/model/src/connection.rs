//! Our access, by one method, to one scope of a cloud.

use crate::{
    Timestamp,
    id::{ConnectionId, OrganizationId},
};
use serde::{Deserialize, Serialize};

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Cloud {
    Aws,
}

impl Cloud {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
        }
    }
}

impl std::fmt::Display for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schema(as = ConnectionMethod)]
pub enum Method {
    AssumeRole,
    // By a token that this server signs: nothing secret is stored anywhere.
    Oidc,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AssumeRole => "assume-role",
            Self::Oidc => "oidc",
        }
    }

    pub const fn cloud(self) -> Cloud {
        match self {
            Self::AssumeRole | Self::Oidc => Cloud::Aws,
        }
    }

    /// The method of a cloud that has this name.
    pub fn parse(cloud: Cloud, name: &str) -> Option<Self> {
        [Self::AssumeRole, Self::Oidc]
            .into_iter()
            .find(|method| method.cloud() == cloud && method.as_str() == name)
    }
}

/// A part of AWS with its own accounts and endpoints (AWS docs: "Amazon
/// Resource Names", partitions).
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
pub enum Partition {
    #[serde(rename = "aws")]
    Aws,
    #[serde(rename = "aws-us-gov")]
    AwsUsGov,
    #[serde(rename = "aws-cn")]
    AwsCn,
}

impl Partition {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsCn => "aws-cn",
        }
    }
}

impl std::str::FromStr for Partition {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "aws" => Ok(Self::Aws),
            "aws-us-gov" => Ok(Self::AwsUsGov),
            "aws-cn" => Ok(Self::AwsCn),
            _ => Err(()),
        }
    }
}

/// A 12-digit AWS account id.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "123456789012")]
pub struct AccountId(String);

#[derive(Debug, thiserror::Error)]
#[error("an AWS account id has 12 digits, without dashes or spaces")]
pub struct InvalidAccountId;

impl AccountId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, InvalidAccountId> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) && text != "000000000000" {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAccountId)
        }
    }
}

impl TryFrom<String> for AccountId {
    type Error = InvalidAccountId;

    fn try_from(text: String) -> Result<Self, InvalidAccountId> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

impl std::fmt::Display for AccountId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Connection {
    pub id: ConnectionId,
    pub organization_id: OrganizationId,
    pub name: String,
    pub cloud: Cloud,
    pub method: Method,
    pub account_id: AccountId,
    pub partition: Partition,
    /// Made by the server, unique to this connection, never changed and never
    /// reused. Not a secret: it protects against a confused deputy.
    pub external_id: String,
    /// The regions the customer wants to use; checked against those enabled.
    pub regions: Vec<String>,
    /// Where new environments go unless they say otherwise; chosen after
    /// connecting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_region: Option<String>,
    /// False when the customer left the reaper out: then Landfall never deletes
    /// and prints what to delete by hand.
    pub with_reaper: bool,
    /// The version of the grant last seen in the account; `None` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_version: Option<u32>,
    /// Digest of the granted roles as they were when all checks passed. Another
    /// digest later means that somebody edited them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_digest: Option<crate::digest::Digest>,
    pub state: State,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
}

impl Connection {
    /// The names of the two roles are part of the protocol with the customer's
    /// account; one account can hold connections of several Landfall servers
    /// or organizations, so each has its own pair, told apart by the suffix.
    pub fn role_suffix(&self) -> &str {
        let id = self.id.as_str();
        // A UUID v7 begins with the time: its end is what differs.
        &id[id.len().saturating_sub(8)..]
    }

    pub fn provisioner_role_name(&self) -> String {
        format!("landfall-provisioner-{}", self.role_suffix())
    }

    pub fn reaper_role_name(&self) -> String {
        format!("landfall-reaper-{}", self.role_suffix())
    }

    pub fn boundary_policy_name(&self) -> String {
        format!("landfall-boundary-{}", self.role_suffix())
    }

    pub fn boundary_policy_arn(&self) -> String {
        self.policy_arn(&self.boundary_policy_name())
    }

    /// The `sub` of this connection's assertions: ids that never change and are
    /// never given again, so that no other connection can be taken for it.
    pub fn federation_subject(&self) -> String {
        format!("landfall:{}:{}", self.organization_id, self.id)
    }

    /// The OIDC provider of the account that stands for the issuer with this
    /// URL. An account has one per URL, whoever made it.
    pub fn oidc_provider_arn(&self, issuer_url: &str) -> String {
        format!(
            "arn:{}:iam::{}:oidc-provider/{}",
            self.partition.as_str(),
            self.account_id,
            issuer_url.strip_prefix("https://").unwrap_or(issuer_url)
        )
    }

    /// The stack that the quick-create link and the commands make.
    pub fn stack_name(&self) -> String {
        format!("landfall-{}", self.role_suffix())
    }

    pub fn role_arn(&self, role_name: &str) -> String {
        format!(
            "arn:{}:iam::{}:role/{role_name}",
            self.partition.as_str(),
            self.account_id
        )
    }

    pub fn policy_arn(&self, policy_name: &str) -> String {
        format!(
            "arn:{}:iam::{}:policy/{policy_name}",
            self.partition.as_str(),
            self.account_id
        )
    }

    pub fn provisioner_role_arn(&self) -> String {
        self.role_arn(&self.provisioner_role_name())
    }

    pub fn reaper_role_arn(&self) -> String {
        self.role_arn(&self.reaper_role_name())
    }
}

/// A connection as people look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ConnectionView)]
pub struct View {
    #[serde(flatten)]
    pub connection: Connection,
    /// When Landfall looks at the account again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_look_at: Option<Timestamp>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Something that Landfall made and that is still in the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Remaining {
    /// `shop/production`.
    pub environment_name: String,
    pub type_name: String,
    pub title: String,
    /// Where it is only perhaps there: what to look for, which may be a tag.
    pub identifier: String,
    pub region: String,
    pub stateful: bool,
    /// Landfall asked for it and never learned how that ended: it is in the
    /// account or not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub perhaps: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_cents: Option<u32>,
    /// Its place in the retained list; absent for what is still wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retained_id: Option<crate::id::RetainedId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn account_ids_are_twelve_digits() {
        assert!("123456789012".parse::<AccountId>().is_ok());
        for wrong in [
            "",
            "12345678901",
            "1234567890123",
            "1234-5678-9012",
            "12345678901a",
            "000000000000",
            "１２３４５６７８９０１２",
        ] {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
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
