//! The grant on Google Cloud: service accounts with custom roles, and who may
//! act as them.

use crate::connection::{Parent, ProjectId, ProjectNumber};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A service account of a grant. The two keys are [`Self::Provisioner`] and
/// [`Self::Reaper`]; the bootstrap enables APIs and binds the provisioner's
/// role, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GcpIdentity {
    Bootstrap,
    Provisioner,
    Reaper,
}

impl GcpIdentity {
    pub const ALL: [Self; 3] = [Self::Bootstrap, Self::Provisioner, Self::Reaper];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Provisioner => "provisioner",
            Self::Reaper => "reaper",
        }
    }
}

impl From<super::Identity> for GcpIdentity {
    fn from(identity: super::Identity) -> Self {
        match identity {
            super::Identity::Provisioner => Self::Provisioner,
            super::Identity::Reaper => Self::Reaper,
        }
    }
}

/// Where in the hierarchy something is granted: in the project, or in the folder
/// or organization above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcpPlace<'a> {
    Project(&'a ProjectId),
    Parent(&'a Parent),
}

impl GcpPlace<'_> {
    /// As Google's APIs name it: `projects/my-project-123`, `folders/123`,
    /// `organizations/456`.
    pub fn resource(self) -> String {
        match self {
            Self::Project(id) => format!("projects/{id}"),
            Self::Parent(parent) => parent.resource(),
        }
    }

    /// Where the custom roles are that can be bound here. A folder has none of
    /// its own, and those of a project cannot be bound above it.
    pub fn roles_in(self) -> String {
        match self {
            Self::Project(_) => self.resource(),
            Self::Parent(parent) => parent.organization(),
        }
    }

    /// What it is, in a word.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Project(_) => "project",
            Self::Parent(parent) if parent.is_folder() => "folder",
            Self::Parent(_) => "organization",
        }
    }
}

/// A custom role of the project, or of the organization above it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcpRole {
    pub identity: GcpIdentity,
    /// Its id in the project or organization.
    pub id: String,
    /// `projects/<project>/roles/<id>` or `organizations/<number>/roles/<id>`,
    /// as policies name it.
    pub name: String,
    pub title: String,
    /// Ends with the version of the grant, in the form that
    /// [`version_of`] reads.
    pub description: String,
    pub permissions: BTreeSet<String>,
}

/// A service account of the customer's project that is ours to act as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcpAccount {
    pub identity: GcpIdentity,
    pub id: String,
    pub email: String,
    pub display_name: String,
    pub description: String,
}

impl GcpAccount {
    /// As a policy names it.
    pub fn member(&self) -> String {
        format!("serviceAccount:{}", self.email)
    }
}

/// An IAM condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcpCondition {
    pub title: String,
    pub description: String,
    pub expression: String,
}

/// A role that an account of ours has where the grant is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcpBinding {
    pub identity: GcpIdentity,
    pub role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<GcpCondition>,
    /// Bound by Landfall itself when it connects, not by the customer.
    pub by_bootstrap: bool,
}

/// Who may act as the service accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum GcpTrust {
    /// One subject of an issuer, through a workload identity pool.
    Federation {
        pool_id: String,
        provider_id: String,
        /// `iss` of the assertions.
        issuer_url: String,
        /// `sub` of the assertions.
        subject: String,
        /// The provider's attribute condition: without it, every subject of
        /// the issuer would be let in.
        condition: String,
        /// The role on each account that lets the subject act as it.
        role: String,
    },
    /// One service account.
    Account { email: String, role: String },
}

impl GcpTrust {
    /// The role on each account.
    pub fn role(&self) -> &str {
        match self {
            Self::Federation { role, .. } | Self::Account { role, .. } => role,
        }
    }

    /// As policies of the accounts name whom they trust. A federated principal
    /// contains the project's number, which the project's id does not tell.
    pub fn member(&self, number: &ProjectNumber) -> String {
        match self {
            Self::Federation {
                pool_id, subject, ..
            } => format!(
                "principal://iam.googleapis.com/projects/{number}/locations/global/\
                 workloadIdentityPools/{pool_id}/subject/{subject}"
            ),
            Self::Account { email, .. } => format!("serviceAccount:{email}"),
        }
    }
}

/// Permissions that are tested together, for one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcpPermissionGroup {
    /// `network`, `database`, …
    pub id: String,
    pub title: String,
    pub identity: GcpIdentity,
    pub permissions: BTreeSet<String>,
    /// Must it have all of them, or none?
    pub expect_allowed: bool,
    /// They are asked of the folder or organization, not of the project.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub above: bool,
}

/// Everything that a grant on Google Cloud consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcpGrant {
    pub version: u32,
    /// Where the service accounts are.
    pub project_id: ProjectId,
    /// The folder or organization that the roles are bound on; `None`: on the
    /// project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    pub trust: GcpTrust,
    pub accounts: Vec<GcpAccount>,
    pub roles: Vec<GcpRole>,
    pub bindings: Vec<GcpBinding>,
    pub permissions: Vec<GcpPermissionGroup>,
    /// APIs that the customer switches on: those by which we get in.
    pub bootstrap_apis: Vec<String>,
    /// APIs that the bootstrap switches on, which need no billing account.
    pub free_apis: Vec<String>,
    /// The same, for those that need one.
    pub billed_apis: Vec<String>,
}

impl GcpGrant {
    /// Where the roles are bound.
    pub const fn place(&self) -> GcpPlace<'_> {
        match &self.parent {
            Some(parent) => GcpPlace::Parent(parent),
            None => GcpPlace::Project(&self.project_id),
        }
    }

    pub fn account(&self, identity: GcpIdentity) -> Option<&GcpAccount> {
        self.accounts
            .iter()
            .find(|account| account.identity == identity)
    }

    pub fn role(&self, identity: GcpIdentity) -> Option<&GcpRole> {
        self.roles.iter().find(|role| role.identity == identity)
    }

    /// Whom the accounts trust, as a person reads it.
    pub fn trusted(&self) -> &str {
        match &self.trust {
            GcpTrust::Federation { subject, .. } => subject,
            GcpTrust::Account { email, .. } => email,
        }
    }

    /// All APIs that must be on.
    pub fn apis(&self) -> impl Iterator<Item = &str> {
        [&self.bootstrap_apis, &self.free_apis, &self.billed_apis]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }
}

const VERSION_MARK: &str = "landfall-grant-version=";

/// The text in a role's description that says its version: custom roles have
/// no labels.
pub fn version_mark(version: u32) -> String {
    format!("{VERSION_MARK}{version}")
}

/// The version that a description says.
pub fn version_of(description: &str) -> Option<u32> {
    let (_, rest) = description.rsplit_once(VERSION_MARK)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_says_its_version() {
        let text = format!("What Landfall needs. {}", version_mark(12));
        assert_eq!(version_of(&text), Some(12));
        assert_eq!(version_of("What Landfall needs."), None);
        assert_eq!(version_of("landfall-grant-version="), None);
    }
}
