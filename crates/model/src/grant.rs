//! What the customer gives us, and the ways to give it.

mod aws;
pub mod azure;
mod gcp;

pub use aws::{
    AWS_AUDIENCE, AwsGrant, PermissionGroup, PermissionQuestion, PolicyDocument, RoleSpec,
};
pub use azure::{AzureGrant, AzurePermissionGroup, AzureProvider, AzureRole};
pub use gcp::{
    GcpAccount, GcpBinding, GcpCondition, GcpGrant, GcpIdentity, GcpPermissionGroup, GcpPlace,
    GcpRole, GcpTrust, version_mark, version_of,
};

use crate::{connection::Guid, digest::Digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The identity of the server itself: whom the customer's roles trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ServerPrincipal {
    /// A principal of AWS.
    Aws {
        /// ARN for the trust policy's `Principal.AWS`: a role or user of the
        /// operator (`arn:aws:iam::…:role/…`), never a session's ARN.
        arn: String,
    },
    /// The issuer of this server's assertions.
    Issuer {
        /// `https://…`, without port, query and trailing slash.
        url: String,
    },
    /// A service account of the operator.
    GoogleServiceAccount { email: String },
    /// The operator's multi-tenant application.
    EntraApplication { client_id: Guid },
    /// Nobody: Landfall signs in as an identity of the customer, with the key
    /// that the customer gave.
    GivenKey,
}

impl ServerPrincipal {
    /// As the cloud writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Aws { arn } => arn,
            Self::Issuer { url } => url,
            Self::GoogleServiceAccount { email } => email,
            Self::EntraApplication { client_id } => client_id.as_str(),
            Self::GivenKey => "the key that was given",
        }
    }
}

/// Which of the two keys of a grant.
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
pub enum Identity {
    Provisioner,
    Reaper,
}

impl Identity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioner => "provisioner",
            Self::Reaper => "reaper",
        }
    }
}

/// Everything that a grant consists of, derived from one source of truth, in
/// its cloud's terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cloud", rename_all = "kebab-case")]
pub enum GrantSpec {
    Aws(AwsGrant),
    Gcp(Box<GcpGrant>),
    Azure(AzureGrant),
}

impl GrantSpec {
    /// Counts up with every change of the grant's meaning; stored with the
    /// identities in the customer's account.
    pub const fn version(&self) -> u32 {
        match self {
            Self::Aws(aws) => aws.version,
            Self::Gcp(gcp) => gcp.version,
            Self::Azure(azure) => azure.version,
        }
    }

    pub const fn aws(&self) -> Option<&AwsGrant> {
        match self {
            Self::Aws(aws) => Some(aws),
            Self::Gcp(_) | Self::Azure(_) => None,
        }
    }

    pub const fn gcp(&self) -> Option<&GcpGrant> {
        match self {
            Self::Gcp(gcp) => Some(gcp),
            Self::Aws(_) | Self::Azure(_) => None,
        }
    }

    pub const fn azure(&self) -> Option<&AzureGrant> {
        match self {
            Self::Azure(azure) => Some(azure),
            Self::Aws(_) | Self::Gcp(_) => None,
        }
    }

    /// The file that makes all of this, where the cloud has such a thing.
    pub const fn template(&self) -> Option<&Value> {
        match self {
            Self::Aws(aws) => Some(&aws.template),
            Self::Gcp(_) | Self::Azure(_) => None,
        }
    }

    pub fn digest(&self) -> Digest {
        Digest::of_json(self).expect("a grant is strings, numbers and JSON values")
    }
}

/// The ways to make the grant, for a person. All make the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GrantGuide {
    pub version: u32,
    pub digest: Digest,
    /// What a person compares with what the cloud shows.
    pub facts: Vec<Fact>,
    /// The recommended one first.
    pub ways: Vec<Way>,
    /// How to take it back later.
    pub revoke_steps: Vec<String>,
}

/// One thing that is part of the grant: `external-id`, `issuer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = GrantFact)]
pub struct Fact {
    pub id: String,
    pub label: String,
    pub value: String,
}

/// One way to make the grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = GrantWay)]
pub struct Way {
    /// Stable: `quick-create`, `cloudformation`, `iam`, `console`, `script`, …
    pub id: String,
    /// `With one command in CloudShell`
    pub title: String,
    /// What happens, and when to choose it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    #[serde(flatten)]
    pub how: How,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[schema(as = GrantHow)]
pub enum How {
    /// A page of the cloud, with everything filled in.
    Link { url: String },
    /// For a shell; reads as documentation.
    Commands { commands: String },
    /// A file that this server serves at `path`, to be read before it is used.
    File { name: String, path: String },
    /// By hand.
    Steps { steps: Vec<String> },
    /// Why this server cannot offer it.
    Unavailable { reason: String },
}

impl GrantGuide {
    pub fn fact(&self, id: &str) -> Option<&str> {
        let fact = self.facts.iter().find(|fact| fact.id == id)?;
        Some(&fact.value)
    }

    pub fn way(&self, id: &str) -> Option<&How> {
        Some(&self.ways.iter().find(|way| way.id == id)?.how)
    }

    /// The text of the way `id`, if that is a text.
    pub fn commands(&self, id: &str) -> Option<&str> {
        match self.way(id)? {
            How::Commands { commands } => Some(commands),
            _ => None,
        }
    }

    /// The page where one click leads.
    pub fn link(&self) -> Option<&str> {
        self.ways.iter().find_map(|way| match &way.how {
            How::Link { url } => Some(url.as_str()),
            _ => None,
        })
    }
}
