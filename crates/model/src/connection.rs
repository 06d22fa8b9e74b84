//! Our access, by one method, to one scope of a cloud.

/// What a text type that is checked when it is parsed has besides: its text, and
/// the way over serde, which parses, too.
macro_rules! checked_text {
    ($name:ident) => {
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = <Self as std::str::FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

mod above;
mod aws;
mod azure;
mod expiry;
mod gcp;
mod method;
mod rotation;
mod state;
mod target;
mod words;

pub use above::{InvalidManagementGroup, InvalidParent, ManagementGroup, Parent};
pub use aws::{AccountId, Aws, AwsAccess, AwsConnection, InvalidAccountId, Partition};
pub use azure::{Azure, AzureAccess, AzureConnection, Breadth, Guid, InvalidGuid};
pub use expiry::Expiry;
pub use gcp::{
    Gcp, GcpAccess, GcpConnection, InvalidProjectId, InvalidProjectNumber, ProjectId, ProjectNumber,
};
pub use method::{Cloud, Method};
pub use rotation::{Rotation, RotationStep};
pub use state::{InvalidTransition, State};
pub use target::{Target, WrongCloud};

use crate::{
    Timestamp,
    id::{ConnectionId, OrganizationId},
};
use serde::{Deserialize, Serialize};

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
    /// When Landfall looks at the account again by itself; not in lists.
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
