//! Google Cloud: one project, perhaps in a folder or an organization that is
//! granted as a whole, by service accounts in it.

use super::{Connection, Parent};
use crate::id::SecretId;
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// A project of Google Cloud and the way into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = GcpTarget)]
pub struct Gcp {
    /// Where Landfall's identities are, and where environments go unless they
    /// say otherwise.
    pub project_id: ProjectId,
    /// The folder or organization above it, where the grant covers more than
    /// the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    #[serde(flatten)]
    pub access: GcpAccess,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum GcpAccess {
    /// A pool in the project trusts tokens that this server signs for this
    /// connection: nothing secret is stored anywhere.
    WorkloadIdentity {
        /// What Google's token exchange knows the project by. The setup prints
        /// it; `None` until somebody said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project_number: Option<ProjectNumber>,
    },
    /// The customer trusts a service account of the operator.
    Impersonation {
        /// The one that this server made for this connection alone, so that
        /// what one customer grants is of no use to another; `None` before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service_account: Option<String>,
    },
    /// A key of a service account in the customer's project.
    ServiceAccountKey {
        service_account: String,
        /// Google's id of the key: what to delete after a migration.
        key_id: String,
        secret_id: SecretId,
    },
}

/// A connection to Google Cloud, with what only Google Cloud has.
#[derive(Clone, Copy, Debug)]
pub struct GcpConnection<'a> {
    connection: &'a Connection,
    gcp: &'a Gcp,
}

impl Deref for GcpConnection<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'a> GcpConnection<'a> {
    pub(super) const fn new(connection: &'a Connection, gcp: &'a Gcp) -> Self {
        Self { connection, gcp }
    }

    pub const fn connection(&self) -> &'a Connection {
        self.connection
    }

    pub const fn project_id(&self) -> &'a ProjectId {
        &self.gcp.project_id
    }

    pub const fn parent(&self) -> Option<&'a Parent> {
        self.gcp.parent.as_ref()
    }

    pub const fn access(&self) -> &'a GcpAccess {
        &self.gcp.access
    }

    /// The id of the workload identity pool (4 to 32 characters).
    pub fn pool_id(&self) -> String {
        format!("landfall-{}", self.suffix())
    }

    /// The one provider in the pool.
    pub const fn provider_id(&self) -> &'static str {
        "landfall"
    }

    /// The account id of a service account of ours: `bootstrap`, `provisioner`
    /// or `reaper` (6 to 30 characters).
    pub fn service_account_id(&self, role: &str) -> String {
        format!("landfall-{role}-{}", self.suffix())
    }

    pub fn service_account_email(&self, role: &str) -> String {
        format!(
            "{}@{}.iam.gserviceaccount.com",
            self.service_account_id(role),
            self.gcp.project_id
        )
    }

    /// The account id of the service account that this server makes in its own
    /// project for this connection alone. All connections of a server are in
    /// that project, so it has more of the connection's id than the suffix: two
    /// that shared an account could use each other's grants.
    pub fn server_account_id(&self) -> String {
        const DIGITS: usize = 24;
        let id = self.id.as_str();
        format!("lf-{}", &id[id.len().saturating_sub(DIGITS)..])
    }

    /// The id of a custom role of ours (letters, digits, `_` and `.`).
    pub fn custom_role_id(&self, role: &str) -> String {
        format!("landfall_{role}_{}", self.suffix())
    }
}

/// The id of a project: 6 to 30 characters, lower-case letters, digits and
/// dashes, begins with a letter, does not end with a dash; of old projects
/// also `example.com:name` (Google Cloud docs: "Creating and managing
/// projects").
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "my-project-123")]
pub struct ProjectId(String);

#[derive(Debug, thiserror::Error)]
#[error(
    "a project id has 6 to 30 lower-case letters, digits and dashes, and begins with a letter; it \
     is neither the project's name nor its number"
)]
pub struct InvalidProjectId;

checked_text!(ProjectId);

impl std::str::FromStr for ProjectId {
    type Err = InvalidProjectId;

    fn from_str(text: &str) -> Result<Self, InvalidProjectId> {
        let fits = (6..=30).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        fits.then(|| Self(text.to_owned())).ok_or(InvalidProjectId)
    }
}

/// The number of a project: digits, given by Google.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "415104041262")]
pub struct ProjectNumber(String);

#[derive(Debug, thiserror::Error)]
#[error("a project number has 6 to 19 digits")]
pub struct InvalidProjectNumber;

checked_text!(ProjectNumber);

impl std::str::FromStr for ProjectNumber {
    type Err = InvalidProjectNumber;

    fn from_str(text: &str) -> Result<Self, InvalidProjectNumber> {
        let fits = (6..=19).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_digit())
            && !text.starts_with('0');
        fits.then(|| Self(text.to_owned()))
            .ok_or(InvalidProjectNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_ids_and_numbers_are_told_apart() {
        assert!("my-project-123".parse::<ProjectId>().is_ok());
        for wrong in [
            "",
            "short",
            "My-Project",
            "1project",
            "my-project-",
            "my project",
            "123456789012",
            "a-project-id-that-is-much-too-long",
            "my-project\n",
            "$(reboot)",
        ] {
            assert!(wrong.parse::<ProjectId>().is_err(), "{wrong}");
        }
        assert!("123456789012".parse::<ProjectNumber>().is_ok());
        for wrong in [
            "",
            "12345",
            "012345678",
            "my-project",
            "12345678901234567890",
        ] {
            assert!(wrong.parse::<ProjectNumber>().is_err(), "{wrong}");
        }
    }
}
