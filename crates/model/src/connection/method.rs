//! The clouds, and the ways into them.

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
    Gcp,
    Azure,
}

impl Cloud {
    pub const ALL: [Self; 3] = [Self::Aws, Self::Gcp, Self::Azure];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
        }
    }

    /// The name that people know.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Gcp => "Google Cloud",
            Self::Azure => "Azure",
        }
    }

    /// What its scope is called.
    pub const fn scope_noun(self) -> &'static str {
        match self {
            Self::Aws => "account",
            Self::Gcp => "project",
            Self::Azure => "subscription",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.as_str() == text)
    }
}

impl std::fmt::Display for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A way into a cloud. Named by its cloud and its name, never by the name
/// alone: `workload-identity` exists twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Oidc,
    AssumeRole,
    GcpWorkloadIdentity,
    Impersonation,
    ServiceAccountKey,
    AzureWorkloadIdentity,
    AdminConsent,
    ClientSecret,
}

impl Method {
    /// Of each cloud the best first: keyless before keys.
    pub const ALL: [Self; 8] = [
        Self::Oidc,
        Self::AssumeRole,
        Self::GcpWorkloadIdentity,
        Self::Impersonation,
        Self::ServiceAccountKey,
        Self::AzureWorkloadIdentity,
        Self::AdminConsent,
        Self::ClientSecret,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::AssumeRole => "assume-role",
            Self::GcpWorkloadIdentity | Self::AzureWorkloadIdentity => "workload-identity",
            Self::Impersonation => "impersonation",
            Self::ServiceAccountKey => "service-account-key",
            Self::AdminConsent => "admin-consent",
            Self::ClientSecret => "client-secret",
        }
    }

    pub const fn cloud(self) -> Cloud {
        match self {
            Self::Oidc | Self::AssumeRole => Cloud::Aws,
            Self::GcpWorkloadIdentity | Self::Impersonation | Self::ServiceAccountKey => Cloud::Gcp,
            Self::AzureWorkloadIdentity | Self::AdminConsent | Self::ClientSecret => Cloud::Azure,
        }
    }

    /// When to choose it, in a line or two.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Oidc => {
                "No key exists anywhere: your account trusts tokens that this server signs for \
                 this connection."
            }
            Self::AssumeRole => {
                "Your account trusts this server's own AWS identity under an external id. Choose \
                 it where the server has no public https address."
            }
            Self::GcpWorkloadIdentity => {
                "No key exists anywhere: a pool in your project trusts tokens that this server \
                 signs for this connection."
            }
            Self::Impersonation => {
                "Accounts in your project trust a service account that this server has for this \
                 connection alone. Choose it where no pool may be made."
            }
            Self::ServiceAccountKey => {
                "You hand over a key of a service account. Choose it only where the others are \
                 not possible: a key can be stolen."
            }
            Self::AzureWorkloadIdentity => {
                "No secret exists anywhere: an application in your tenant trusts tokens that this \
                 server signs for this connection."
            }
            Self::AdminConsent => {
                "An administrator of your tenant approves our application on Microsoft's page."
            }
            Self::ClientSecret => {
                "You hand over an application's secret. Choose it only where the others are not \
                 possible: a secret can be stolen, and it expires."
            }
        }
    }

    /// True where Landfall stores no secret of the customer.
    pub const fn is_keyless(self) -> bool {
        !matches!(self, Self::ServiceAccountKey | Self::ClientSecret)
    }

    /// The method of a cloud that has this name.
    pub fn parse(cloud: Cloud, name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|method| method.cloud() == cloud && method.as_str() == name)
    }

    /// The methods of a cloud, the best first.
    pub fn of(cloud: Cloud) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |method| method.cloud() == cloud)
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.cloud(), self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_named_by_its_cloud_and_its_name() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.cloud(), method.as_str()), Some(method));
            assert_eq!(
                method.to_string().split_once('/').unwrap().1,
                method.as_str()
            );
        }
        assert_eq!(Method::parse(Cloud::Gcp, "oidc"), None);
        assert_eq!(Method::parse(Cloud::Aws, "workload-identity"), None);
    }
}
