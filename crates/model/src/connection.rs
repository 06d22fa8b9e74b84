//! Our access, by one method, to one scope of a cloud.

mod above;
mod aws;
mod azure;
mod expiry;
mod gcp;
mod rotation;
mod target;

pub use above::{InvalidManagementGroup, InvalidParent, ManagementGroup, Parent};
pub use aws::{AccountId, Aws, AwsAccess, AwsConnection, InvalidAccountId, Partition};
pub use azure::{Azure, AzureAccess, AzureConnection, Breadth, Guid, InvalidGuid};
pub use expiry::Expiry;
pub use gcp::{
    Gcp, GcpAccess, GcpConnection, InvalidProjectId, InvalidProjectNumber, ProjectId, ProjectNumber,
};
pub use rotation::{Rotation, RotationStep};
pub use target::{Cloud, Method, Target, WrongCloud};

use crate::{
    Timestamp,
    id::{ConnectionId, OrganizationId},
};
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
    /// Which cloud, what of it, and how Landfall gets in. Flat on the wire:
    /// `cloud`, `method` and the fields of both stand beside the others.
    #[serde(flatten)]
    pub target: Target,
    /// The way in that shall replace this one, while it is being granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Migration>,
    /// The way with a secret that this connection moved away from, until the
    /// cloud says that the secret is gone: a key that nobody uses can still be
    /// stolen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<Target>,
    /// A new secret on its way to replace the one in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// Made by the server, unique to this connection, never changed and never
    /// reused, whatever the method. Not a secret: where the customer's side
    /// repeats it, nobody else's connection can be taken for this one (the
    /// confused deputy).
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
    /// What was granted is so much that two keys mean nothing: the provisioner
    /// could give itself the rest.
    #[serde(default, skip_serializing_if = "is_false")]
    pub too_broad: bool,
    /// When the checks were last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
    pub state: State,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
}

/// Another way into the same scope, on its way to replace the one in use. Until
/// everything passes by it, nothing changes; then both change places in one
/// write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ConnectionMigration)]
pub struct Migration {
    #[serde(flatten)]
    pub target: Target,
    pub since: Timestamp,
    /// What the last look at the new way found; absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

impl Connection {
    /// The connection as it will be by the way that it moves to.
    pub fn migrated(&self) -> Option<Self> {
        let migration = self.migration.as_ref()?;
        Some(Self {
            target: migration.target.clone(),
            ..self.clone()
        })
    }

    /// When the secret that is in use ends, where that is known.
    pub fn expiry(&self, now: Timestamp) -> Option<Expiry> {
        let at = self.target.secret_expires_at()?;
        Some(Expiry::of(at, now))
    }

    pub const fn cloud(&self) -> Cloud {
        self.target.cloud()
    }

    pub const fn method(&self) -> Method {
        self.target.method()
    }

    /// The account, project or subscription, as its cloud writes it.
    pub fn scope(&self) -> &str {
        self.target.scope()
    }

    /// Names in the customer's account end with it: one account can hold
    /// connections of several Landfall servers or organizations, and each has
    /// identities of its own.
    pub fn suffix(&self) -> &str {
        let id = self.id.as_str();
        // A UUID v7 begins with the time: its end is what differs.
        &id[id.len().saturating_sub(8)..]
    }

    /// The `sub` of this connection's assertions.
    pub fn subject(&self) -> String {
        crate::issuer::subject(&self.organization_id, &self.id)
    }

    /// What a person wants to know of it besides its state, label and value.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = match &self.target {
            Target::Aws(target) => {
                let aws = AwsConnection::new(self, target);
                let mut facts = vec![
                    ("Account", aws.account_id().to_string()),
                    ("Partition", aws.partition().as_str().to_owned()),
                ];
                match aws.access() {
                    AwsAccess::AssumeRole => facts.push(("External id", self.external_id.clone())),
                    AwsAccess::Oidc => facts.push(("Subject", self.subject())),
                }
                facts.push(("Provisioner", aws.provisioner_role_arn()));
                if self.with_reaper {
                    facts.push(("Reaper", aws.reaper_role_arn()));
                }
                facts
            }
            Target::Gcp(target) => {
                let gcp = GcpConnection::new(self, target);
                let mut facts = vec![("Project", gcp.project_id().to_string())];
                if let Some(parent) = gcp.parent() {
                    facts.push(("Granted on", parent.to_string()));
                }
                match gcp.access() {
                    GcpAccess::WorkloadIdentity { project_number } => {
                        if let Some(number) = project_number {
                            facts.push(("Project number", number.to_string()));
                        }
                        facts.push(("Subject", self.subject()));
                    }
                    GcpAccess::Impersonation { service_account } => {
                        if let Some(email) = service_account {
                            facts.push(("Our service account", email.clone()));
                        }
                    }
                    GcpAccess::ServiceAccountKey {
                        service_account,
                        key_id,
                        ..
                    } => {
                        facts.push(("Service account", service_account.clone()));
                        facts.push(("Key id", key_id.clone()));
                    }
                }
                facts.push(("Provisioner", gcp.service_account_email("provisioner")));
                if self.with_reaper {
                    facts.push(("Reaper", gcp.service_account_email("reaper")));
                }
                facts
            }
            Target::Azure(target) => {
                let azure = AzureConnection::new(self, target);
                let mut facts = vec![
                    ("Subscription", azure.subscription_id().to_string()),
                    ("Tenant", azure.tenant_id().to_string()),
                ];
                if let Some(group) = azure.management_group() {
                    facts.push(("Management group", group.to_string()));
                }
                if azure.breadth() == Breadth::Broad {
                    facts.push(("Role", "broad, as it was chosen".to_owned()));
                }
                if let Some(client_id) = azure.client_id() {
                    facts.push(("Client id", client_id.to_string()));
                }
                match azure.access() {
                    AzureAccess::WorkloadIdentity { .. } => {
                        facts.push(("Subject", self.subject()));
                    }
                    AzureAccess::ClientSecret {
                        secret_expires_at: Some(at),
                        ..
                    } => facts.push(("Secret expires", at.to_string())),
                    AzureAccess::ClientSecret { .. } | AzureAccess::AdminConsent { .. } => {}
                }
                facts
            }
        };
        facts.push(("Two keys", self.two_keys_in_words().to_owned()));
        facts
    }

    /// Whether two different identities are needed to destroy anything, in a
    /// word.
    pub const fn two_keys(&self) -> &'static str {
        match (self.too_broad, self.with_reaper) {
            (true, _) => "no",
            (false, true) => "yes",
            (false, false) => "no reaper",
        }
    }

    pub const fn two_keys_in_words(&self) -> &'static str {
        match (self.too_broad, self.with_reaper) {
            (true, _) => "no: what was granted lets the provisioner give itself anything",
            (false, true) => "yes",
            (false, false) => "the reaper was left out: Landfall prints what to delete by hand",
        }
    }

    /// What only the setup knows and a person has to enter: the API's field and
    /// what it is called. Of a connection that moves, of the new way.
    pub fn missing_fact(&self) -> Option<(&'static str, &'static str)> {
        let target = self
            .migration
            .as_ref()
            .map_or(&self.target, |migration| &migration.target);
        match target {
            Target::Gcp(Gcp {
                access:
                    GcpAccess::WorkloadIdentity {
                        project_number: None,
                    },
                ..
            }) => Some(("project_number", "Project number")),
            Target::Azure(Azure {
                access: AzureAccess::WorkloadIdentity { client_id: None },
                ..
            }) => Some(("client_id", "Client id")),
            _ => None,
        }
    }

    /// What to delete in the cloud to take the grant away: `the stack …`.
    pub fn grant_in_words(&self) -> String {
        match &self.target {
            Target::Aws(target) => {
                let aws = AwsConnection::new(self, target);
                format!("the stack {}", aws.stack_name())
            }
            Target::Gcp(target) => {
                let gcp = GcpConnection::new(self, target);
                let keyless = matches!(gcp.access(), GcpAccess::WorkloadIdentity { .. });
                let pool = if keyless {
                    format!(" and the workload identity pool {}", gcp.pool_id())
                } else {
                    String::new()
                };
                format!(
                    "the service accounts landfall-…-{} of the project{pool}",
                    self.suffix()
                )
            }
            Target::Azure(_) => format!("the applications landfall-…-{}", self.suffix()),
        }
    }

    pub fn aws(&self) -> Result<AwsConnection<'_>, WrongCloud> {
        match &self.target {
            Target::Aws(aws) => Ok(AwsConnection::new(self, aws)),
            _ => Err(self.wrong_cloud(Cloud::Aws)),
        }
    }

    pub fn gcp(&self) -> Result<GcpConnection<'_>, WrongCloud> {
        match &self.target {
            Target::Gcp(gcp) => Ok(GcpConnection::new(self, gcp)),
            _ => Err(self.wrong_cloud(Cloud::Gcp)),
        }
    }

    pub fn azure(&self) -> Result<AzureConnection<'_>, WrongCloud> {
        match &self.target {
            Target::Azure(azure) => Ok(AzureConnection::new(self, azure)),
            _ => Err(self.wrong_cloud(Cloud::Azure)),
        }
    }

    fn wrong_cloud(&self, asked: Cloud) -> WrongCloud {
        WrongCloud {
            connection: self.id.clone(),
            is: self.cloud(),
            asked,
        }
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
    /// Of a method whose secret ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
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
