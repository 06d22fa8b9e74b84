//! Azure: one subscription of one tenant, by an application's service principal
//! in it.

use super::{Connection, ManagementGroup};
use crate::{Timestamp, id::SecretId};
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// A subscription of Azure and the way into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AzureTarget)]
pub struct Azure {
    pub tenant_id: Guid,
    pub subscription_id: Guid,
    /// The management group above it, where the grant covers more than the
    /// subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_group: Option<ManagementGroup>,
    #[serde(default, skip_serializing_if = "Breadth::is_narrow")]
    pub breadth: Breadth,
    #[serde(flatten)]
    pub access: AzureAccess,
}

/// How much the provisioner's role allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Breadth {
    /// What Landfall makes, without the deletions of what holds data.
    #[default]
    Narrow,
    /// Everything but a few actions, as other products ask for it: for those
    /// whose policy allows only that role. It deletes, so one key is enough.
    Broad,
}

impl Breadth {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::Broad => "broad",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    const fn is_narrow(&self) -> bool {
        matches!(self, Self::Narrow)
    }
}

impl std::str::FromStr for Breadth {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "narrow" => Ok(Self::Narrow),
            "broad" => Ok(Self::Broad),
            _ => Err(()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum AzureAccess {
    /// The application trusts tokens that this server signs for this
    /// connection: nothing secret is stored anywhere.
    WorkloadIdentity {
        /// Of the application that the setup registered, which prints it;
        /// `None` until somebody said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<Guid>,
    },
    /// The operator's application, approved by an administrator of the tenant.
    AdminConsent {
        /// Of the operator's application; `None` before this server said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<Guid>,
        /// Digest of the `state` that Microsoft's page was last opened with and
        /// of the session that opened it; absent once it was used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<crate::digest::Digest>,
        /// When Microsoft's page came back without an error. Proves nothing:
        /// that the application was approved is seen when it gets a token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_at: Option<Timestamp>,
    },
    /// A password of an application in the customer's tenant.
    ClientSecret {
        /// Of the application that the setup registers; `None` until somebody
        /// said it, together with the secret.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<Guid>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret_id: Option<SecretId>,
        /// Entra's id of the secret, once it was recognised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret_key_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret_expires_at: Option<Timestamp>,
    },
}

/// A connection to Azure, with what only Azure has.
#[derive(Clone, Copy, Debug)]
pub struct AzureConnection<'a> {
    connection: &'a Connection,
    azure: &'a Azure,
}

impl Deref for AzureConnection<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'a> AzureConnection<'a> {
    pub(super) const fn new(connection: &'a Connection, azure: &'a Azure) -> Self {
        Self { connection, azure }
    }

    pub const fn connection(&self) -> &'a Connection {
        self.connection
    }

    pub const fn tenant_id(&self) -> &'a Guid {
        &self.azure.tenant_id
    }

    pub const fn subscription_id(&self) -> &'a Guid {
        &self.azure.subscription_id
    }

    pub const fn access(&self) -> &'a AzureAccess {
        &self.azure.access
    }

    /// The application that Landfall signs in as, once it is known.
    pub const fn client_id(&self) -> Option<&'a Guid> {
        match &self.azure.access {
            AzureAccess::WorkloadIdentity { client_id }
            | AzureAccess::AdminConsent { client_id, .. }
            | AzureAccess::ClientSecret { client_id, .. } => client_id.as_ref(),
        }
    }

    /// Where the roles are assigned: the subscription, or the management group
    /// that covers it.
    pub fn grant_scope(&self) -> String {
        match &self.azure.management_group {
            Some(name) => format!("/providers/Microsoft.Management/managementGroups/{name}"),
            None => format!("/subscriptions/{}", self.subscription_id()),
        }
    }

    pub const fn management_group(&self) -> Option<&'a ManagementGroup> {
        self.azure.management_group.as_ref()
    }

    pub const fn breadth(&self) -> Breadth {
        self.azure.breadth
    }

    /// The display name of what is ours in the tenant: `landfall-reaper-…`.
    pub fn display_name(&self, role: &str) -> String {
        format!("landfall-{role}-{}", self.suffix())
    }
}

/// A tenant's, subscription's or application's id: a UUID, written in lower
/// case.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "72f988bf-86f1-41af-91ab-2d7cd011db47")]
pub struct Guid(String);

#[derive(Debug, thiserror::Error)]
#[error("it looks like 72f988bf-86f1-41af-91ab-2d7cd011db47")]
pub struct InvalidGuid;

checked_text!(Guid);

impl std::str::FromStr for Guid {
    type Err = InvalidGuid;

    fn from_str(text: &str) -> Result<Self, InvalidGuid> {
        let parts: Vec<&str> = text.split('-').collect();
        let fits = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
            && parts
                .iter()
                .all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()));
        // Nobody's: what some portals show before anything was chosen.
        let empty = text.bytes().all(|b| b == b'0' || b == b'-');
        (fits && !empty)
            .then(|| Self(text.to_ascii_lowercase()))
            .ok_or(InvalidGuid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_written_in_one_way() {
        let id: Guid = "72F988BF-86F1-41AF-91AB-2D7CD011DB47".parse().unwrap();
        assert_eq!(id.as_str(), "72f988bf-86f1-41af-91ab-2d7cd011db47");
        for wrong in [
            "",
            "72f988bf86f141af91ab2d7cd011db47",
            "{72f988bf-86f1-41af-91ab-2d7cd011db47}",
            "72f988bf-86f1-41af-91ab-2d7cd011db4",
            "72f988bf-86f1-41af-91ab-2d7cd011db4g",
            "00000000-0000-0000-0000-000000000000",
            "contoso.onmicrosoft.com",
        ] {
            assert!(wrong.parse::<Guid>().is_err(), "{wrong}");
        }
    }
}
