//! What a grant may cover beyond one project or subscription.

use serde::{Deserialize, Serialize};

/// A folder or an organization of Google Cloud.
///
/// Written `organizations/456` or `organizations/456/folders/123`. A folder
/// says its organization, too: custom roles live in projects and organizations
/// only, and those of a project cannot be bound on a folder (Google Cloud docs:
/// "Create and manage custom roles").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "organizations/456/folders/123")]
pub struct Parent(Numbers);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Numbers {
    organization: String,
    folder: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "it is written organizations/NUMBER or organizations/NUMBER/folders/NUMBER; the last folder is \
     the one that is granted"
)]
pub struct InvalidParent;

impl Parent {
    /// `organizations/456`, where the custom roles are.
    pub fn organization(&self) -> String {
        format!("organizations/{}", self.0.organization)
    }

    /// `folders/123` or `organizations/456`: where the roles are bound, as
    /// Google's APIs name it.
    pub fn resource(&self) -> String {
        match &self.0.folder {
            Some(folder) => format!("folders/{folder}"),
            None => self.organization(),
        }
    }

    pub const fn is_folder(&self) -> bool {
        self.0.folder.is_some()
    }
}

impl std::str::FromStr for Parent {
    type Err = InvalidParent;

    fn from_str(text: &str) -> Result<Self, InvalidParent> {
        let number = |text: &str| {
            let fits = (1..=19).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_digit())
                && !text.starts_with('0');
            fits.then(|| text.to_owned()).ok_or(InvalidParent)
        };
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            ["organizations", organization] => Ok(Self(Numbers {
                organization: number(organization)?,
                folder: None,
            })),
            ["organizations", organization, "folders", folder] => Ok(Self(Numbers {
                organization: number(organization)?,
                folder: Some(number(folder)?),
            })),
            _ => Err(InvalidParent),
        }
    }
}

impl TryFrom<String> for Parent {
    type Error = InvalidParent;

    fn try_from(text: String) -> Result<Self, InvalidParent> {
        text.parse()
    }
}

impl From<Parent> for String {
    fn from(parent: Parent) -> Self {
        parent.to_string()
    }
}

impl std::fmt::Display for Parent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "organizations/{}", self.0.organization)?;
        match &self.0.folder {
            Some(folder) => write!(f, "/folders/{folder}"),
            None => Ok(()),
        }
    }
}

/// The id of a management group of Azure, which is not its display name: 1 to
/// 90 letters, digits, `-`, `_`, `(`, `)` and `.`, begins with a letter or a
/// digit, does not end with `.` (Azure docs: "Naming rules and restrictions",
/// `Microsoft.Management/managementGroups`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "landing-zones")]
pub struct ManagementGroup(String);

#[derive(Debug, thiserror::Error)]
#[error(
    "the id of a management group has 1 to 90 letters, digits, dashes, underscores, parentheses \
     and dots; it begins with a letter or a digit and does not end with a dot"
)]
pub struct InvalidManagementGroup;

checked_text!(ManagementGroup);

impl std::str::FromStr for ManagementGroup {
    type Err = InvalidManagementGroup;

    fn from_str(text: &str) -> Result<Self, InvalidManagementGroup> {
        let fits = (1..=90).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !text.ends_with('.')
            && text.bytes().all(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'(' | b')' | b'.')
            });
        fits.then(|| Self(text.to_owned()))
            .ok_or(InvalidManagementGroup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_names_what_is_granted_and_where_the_roles_are() {
        let folder: Parent = "organizations/456/folders/123".parse().unwrap();
        assert_eq!(folder.resource(), "folders/123");
        assert_eq!(folder.organization(), "organizations/456");
        assert_eq!(folder.to_string(), "organizations/456/folders/123");
        let organization: Parent = "organizations/456".parse().unwrap();
        assert_eq!(organization.resource(), "organizations/456");
        assert_eq!(organization.to_string(), "organizations/456");
        for wrong in [
            "",
            "456",
            "folders/123",
            "organizations/",
            "organizations/0",
            "organizations/456/",
            "organizations/456/folders/",
            "organizations/456/folders/123/folders/7",
            "organizations/example.com",
            "organizations/456\n",
            "organizations/$(reboot)",
            "organizations/12345678901234567890",
        ] {
            assert!(wrong.parse::<Parent>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_management_group_has_an_id() {
        for right in [
            "a",
            "Landing-Zones_(eu).1",
            "72f988bf-86f1-41af-91ab-2d7cd011db47",
        ] {
            assert_eq!(right.parse::<ManagementGroup>().unwrap().as_str(), right);
        }
        let long = "a".repeat(91);
        for wrong in [
            "",
            "-a",
            "a.",
            "a b",
            "a/b",
            "$(reboot)",
            "a\n",
            "'a'",
            &long,
        ] {
            assert!(wrong.parse::<ManagementGroup>().is_err(), "{wrong}");
        }
    }
}
