//! What a connection reaches, and by which method.

use super::{
    aws::Aws,
    azure::{Azure, AzureAccess, Breadth},
    gcp::{Gcp, GcpAccess},
    method::{Cloud, Method},
};
use crate::{
    Timestamp,
    id::{ConnectionId, SecretId},
};
use serde::{Deserialize, Serialize};

/// What of which cloud, and how Landfall gets in. The facts of a method are in
/// its variant, so that a keyless connection cannot have a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "cloud", rename_all = "kebab-case")]
#[schema(as = ConnectionTarget)]
pub enum Target {
    Aws(Aws),
    Gcp(Gcp),
    Azure(Azure),
}

/// A connection was asked for what only another cloud has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection {connection} is to {is}, not to {asked}")]
pub struct WrongCloud {
    pub connection: ConnectionId,
    pub is: Cloud,
    pub asked: Cloud,
}

impl Target {
    pub const fn cloud(&self) -> Cloud {
        self.method().cloud()
    }

    pub const fn method(&self) -> Method {
        match self {
            Self::Aws(aws) => aws.access.method(),
            Self::Gcp(gcp) => match gcp.access {
                GcpAccess::WorkloadIdentity { .. } => Method::GcpWorkloadIdentity,
                GcpAccess::Impersonation { .. } => Method::Impersonation,
                GcpAccess::ServiceAccountKey { .. } => Method::ServiceAccountKey,
            },
            Self::Azure(azure) => match azure.access {
                AzureAccess::WorkloadIdentity { .. } => Method::AzureWorkloadIdentity,
                AzureAccess::AdminConsent { .. } => Method::AdminConsent,
                AzureAccess::ClientSecret { .. } => Method::ClientSecret,
            },
        }
    }

    /// Whether both reach the same account, project or subscription.
    pub fn is_same_scope(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Aws(one), Self::Aws(other)) => {
                one.account_id == other.account_id && one.partition == other.partition
            }
            (Self::Gcp(one), Self::Gcp(other)) => one.project_id == other.project_id,
            (Self::Azure(one), Self::Azure(other)) => one.subscription_id == other.subscription_id,
            _ => false,
        }
    }

    /// Whether both are granted alike: by one method, on the same, and as much
    /// of it. Whoever wants less or more of it makes another connection beside.
    pub fn is_same_grant(&self, other: &Self) -> bool {
        self.method() == other.method()
            && self.is_same_scope(other)
            && self.above() == other.above()
            && self.breadth() == other.breadth()
    }

    /// How much was asked for; only Azure gives the choice.
    pub const fn breadth(&self) -> Breadth {
        match self {
            Self::Azure(azure) => azure.breadth,
            Self::Aws(_) | Self::Gcp(_) => Breadth::Narrow,
        }
    }

    /// The stored secret that opens it, if its method has one.
    pub const fn secret_id(&self) -> Option<&SecretId> {
        match self {
            Self::Gcp(Gcp {
                access: GcpAccess::ServiceAccountKey { secret_id, .. },
                ..
            }) => Some(secret_id),
            Self::Azure(Azure {
                access: AzureAccess::ClientSecret { secret_id, .. },
                ..
            }) => secret_id.as_ref(),
            _ => None,
        }
    }

    /// The cloud's id of that secret, where it is known.
    pub fn secret_key_id(&self) -> Option<&str> {
        match self {
            Self::Gcp(Gcp {
                access: GcpAccess::ServiceAccountKey { key_id, .. },
                ..
            }) => Some(key_id),
            Self::Azure(Azure {
                access: AzureAccess::ClientSecret { secret_key_id, .. },
                ..
            }) => secret_key_id.as_deref(),
            _ => None,
        }
    }

    /// When the cloud stops taking that secret; `None` also where nobody said.
    pub const fn secret_expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Azure(Azure {
                access:
                    AzureAccess::ClientSecret {
                        secret_expires_at, ..
                    },
                ..
            }) => *secret_expires_at,
            _ => None,
        }
    }

    /// The same with another secret; unchanged where the method has none.
    #[must_use]
    pub fn with_secret(
        &self,
        id: &SecretId,
        key: Option<&str>,
        expires_at: Option<Timestamp>,
    ) -> Self {
        let mut target = self.clone();
        match &mut target {
            Self::Gcp(Gcp {
                access:
                    GcpAccess::ServiceAccountKey {
                        secret_id, key_id, ..
                    },
                ..
            }) => {
                secret_id.clone_from(id);
                if let Some(key) = key {
                    key.clone_into(key_id);
                }
            }
            Self::Azure(Azure {
                access:
                    AzureAccess::ClientSecret {
                        secret_id,
                        secret_key_id,
                        secret_expires_at,
                        ..
                    },
                ..
            }) => {
                *secret_id = Some(id.clone());
                *secret_key_id = key.map(str::to_owned);
                *secret_expires_at = expires_at;
            }
            _ => {}
        }
        target
    }

    /// What the grant covers beyond the project or subscription.
    pub fn above(&self) -> Option<String> {
        match self {
            Self::Aws(_) => None,
            Self::Gcp(gcp) => gcp.parent.as_ref().map(ToString::to_string),
            Self::Azure(azure) => azure.management_group.as_ref().map(ToString::to_string),
        }
    }

    /// The account, project or subscription, as its cloud writes it.
    pub fn scope(&self) -> &str {
        match self {
            Self::Aws(aws) => aws.account_id.as_str(),
            Self::Gcp(gcp) => gcp.project_id.as_str(),
            Self::Azure(azure) => azure.subscription_id.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_flat_on_the_wire() {
        let text =
            r#"{"cloud":"aws","account_id":"123456789012","partition":"aws","method":"oidc"}"#;
        let target: Target = serde_json::from_str(text).unwrap();
        assert_eq!(target.method(), Method::Oidc);
        assert_eq!(serde_json::to_string(&target).unwrap(), text);
        let text = r#"{"cloud":"gcp","project_id":"my-project","method":"workload-identity","project_number":"123456789"}"#;
        let target: Target = serde_json::from_str(text).unwrap();
        assert_eq!(target.method(), Method::GcpWorkloadIdentity);
        assert_eq!(serde_json::to_string(&target).unwrap(), text);
    }

    #[test]
    fn a_keyless_target_has_no_place_for_a_secret() {
        let text = r#"{"cloud":"gcp","project_id":"my-project","method":"workload-identity","secret_id":"sec_0190b5c8e0f07c3f8a1d2b3c4d5e6f70"}"#;
        let target: Target = serde_json::from_str(text).unwrap();
        assert!(!serde_json::to_string(&target).unwrap().contains("secret"));
    }
}
