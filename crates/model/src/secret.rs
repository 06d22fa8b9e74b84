//! Secrets of connections, at rest: what a customer gave us and we must be able
//! to read again. Records of their own, so that a connection can be served and
//! logged while its secret cannot.

mod client_secret;
mod key_file;

pub use client_secret::{InvalidClientSecret, check_client_secret};
pub use key_file::{KEY_LIMIT, KeyError, ServiceAccountKey, parse_key};

use crate::{
    Timestamp,
    id::{ConnectionId, OrganizationId, SecretId},
    store::StoreError,
    vault::{Plain, Sealed, VaultError},
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// What the secret is used for. Part of what a ciphertext is bound to: a secret
/// never opens as one of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The private key of a Google Cloud service account, without the rest of
    /// the file that it came in.
    GcpServiceAccountKey,
    /// A client secret of an Entra application.
    AzureClientSecret,
}

impl Purpose {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GcpServiceAccountKey => "gcp-service-account-key",
            Self::AzureClientSecret => "azure-client-secret",
        }
    }
}

/// A sealed secret. Stored, never served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    pub id: SecretId,
    pub organization_id: OrganizationId,
    /// Whose secret; absent while the connection that will use it is being
    /// made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<ConnectionId>,
    pub purpose: Purpose,
    pub sealed: Sealed,
    /// When the cloud stops taking it, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// Counts writes from 1.
    pub version: u64,
}

impl Secret {
    /// The name under which it is sealed and opened.
    pub fn record(&self) -> String {
        record(&self.organization_id, &self.id, self.purpose)
    }
}

/// The name under which a secret is sealed: it holds whose secret it is, which
/// one and what for, so that a ciphertext copied into another row, even of the
/// same organization, does not open.
pub fn record(organization: &OrganizationId, id: &SecretId, purpose: Purpose) -> String {
    format!("{organization}/{id}/{}", purpose.as_str())
}

/// Where a connector gets the secret of a connection that has one.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Only the organization's own secrets: another's is [`SecretsError::Missing`].
    async fn open(
        &self,
        organization: &OrganizationId,
        id: &SecretId,
    ) -> Result<Plain, SecretsError>;
}

/// Why a secret cannot be had. Never says anything of the secret itself.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("there is no secret {id}")]
    Missing { id: SecretId },
    #[error("cannot open the secret")]
    Vault(#[source] VaultError),
    #[error("cannot read the secret")]
    Store(#[source] StoreError),
}
