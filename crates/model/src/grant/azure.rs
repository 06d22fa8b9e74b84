//! The grant on Azure: one or two custom roles, and the applications that are
//! given them.

use super::Identity;
use serde::{Deserialize, Serialize};

/// Stands in [`AzureRole::condition`] for the object id of the identity's
/// service principal, which Entra chooses when the grant is made.
pub const fn object_id_of(identity: Identity) -> &'static str {
    match identity {
        Identity::Provisioner => "<object id of the provisioner>",
        Identity::Reaper => "<object id of the reaper>",
    }
}

/// One custom role of a grant, complete, and its assignment to the service
/// principal of an application of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AzureRole {
    pub identity: Identity,
    /// Of the role and of the application that is given it.
    pub name: String,
    /// Of the role; ends in the grant's version.
    pub description: String,
    /// Sorted; without wildcards, unless the broad role was chosen.
    pub actions: Vec<String>,
    /// What `actions` covers and the role does not allow; of the broad role
    /// alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_actions: Vec<String>,
    /// Of the assignment, in version 2.0 of Azure's language for conditions.
    pub condition: Option<String>,
    /// Of the assignment: holds the connection's own nonce, so that nobody
    /// else's assignment is taken for this connection's.
    pub assignment: String,
}

/// A resource provider that the subscription must be registered for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AzureProvider {
    /// `Microsoft.App`.
    pub namespace: String,
    pub purpose: String,
}

/// Permissions that are checked together, for one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AzurePermissionGroup {
    /// `network`, `database`, …
    pub id: String,
    pub title: String,
    pub identity: Identity,
    pub actions: Vec<String>,
    pub expect_allowed: bool,
}

/// Everything that a grant on Azure consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AzureGrant {
    /// Stored in the descriptions of the roles, as [`VERSION_MARK`] says.
    pub version: u32,
    /// Where the roles can be assigned and are: `/subscriptions/…`, or a
    /// management group.
    pub scope: String,
    /// The provisioner, and the reaper unless it was left out.
    pub roles: Vec<AzureRole>,
    pub providers: Vec<AzureProvider>,
    pub permissions: Vec<AzurePermissionGroup>,
}

/// What the version stands behind in a role's description.
pub const VERSION_MARK: &str = "landfall:grant-version=";

/// What the client id stands behind in an assignment's description. That is how
/// Landfall learns the reaper's: the provisioner may read assignments, and with
/// the narrow role may itself assign none of the reaper's role.
pub const CLIENT_MARK: &str = "landfall:client=";

/// What the connection's nonce stands behind in an assignment's description.
pub const CONNECTION_MARK: &str = "landfall:connection=";

impl AzureGrant {
    pub fn role(&self, identity: Identity) -> Option<&AzureRole> {
        self.roles.iter().find(|role| role.identity == identity)
    }
}

/// The word behind a mark in a description.
pub fn marked<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    text.split_whitespace()
        .find_map(|word| word.strip_prefix(mark))
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_as_words_only() {
        let text = "Landfall's reaper. landfall:client=a-b landfall:connection=x";
        assert_eq!(marked(text, CLIENT_MARK), Some("a-b"));
        assert_eq!(marked(text, CONNECTION_MARK), Some("x"));
        assert_eq!(marked("xlandfall:client=a", CLIENT_MARK), None);
        assert_eq!(marked("landfall:client= a", CLIENT_MARK), None);
    }
}
