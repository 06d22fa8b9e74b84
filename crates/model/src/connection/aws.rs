//! AWS: one account, by two roles in it.

use super::{Connection, Method};
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// An account of AWS and the way into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AwsTarget)]
pub struct Aws {
    pub account_id: AccountId,
    pub partition: Partition,
    #[serde(flatten)]
    pub access: AwsAccess,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum AwsAccess {
    /// The roles trust this server's principal under the external id.
    AssumeRole,
    /// The roles trust tokens that this server signs: nothing secret is stored
    /// anywhere.
    Oidc,
}

impl AwsAccess {
    pub const fn method(self) -> Method {
        match self {
            Self::AssumeRole => Method::AssumeRole,
            Self::Oidc => Method::Oidc,
        }
    }
}

/// A connection to AWS, with what only AWS has.
#[derive(Clone, Copy, Debug)]
pub struct AwsConnection<'a> {
    connection: &'a Connection,
    aws: &'a Aws,
}

impl Deref for AwsConnection<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl<'a> AwsConnection<'a> {
    pub(super) const fn new(connection: &'a Connection, aws: &'a Aws) -> Self {
        Self { connection, aws }
    }

    pub const fn connection(&self) -> &'a Connection {
        self.connection
    }

    pub const fn account_id(&self) -> &'a AccountId {
        &self.aws.account_id
    }

    pub const fn partition(&self) -> Partition {
        self.aws.partition
    }

    pub const fn access(&self) -> AwsAccess {
        self.aws.access
    }

    /// The names of the two roles are part of the protocol with the customer's
    /// account.
    pub fn provisioner_role_name(&self) -> String {
        format!("landfall-provisioner-{}", self.suffix())
    }

    pub fn reaper_role_name(&self) -> String {
        format!("landfall-reaper-{}", self.suffix())
    }

    pub fn boundary_policy_name(&self) -> String {
        format!("landfall-boundary-{}", self.suffix())
    }

    /// The stack that the quick-create link and the commands make.
    pub fn stack_name(&self) -> String {
        format!("landfall-{}", self.suffix())
    }

    pub fn provisioner_role_arn(&self) -> String {
        self.role_arn(&self.provisioner_role_name())
    }

    pub fn reaper_role_arn(&self) -> String {
        self.role_arn(&self.reaper_role_name())
    }

    pub fn boundary_policy_arn(&self) -> String {
        self.policy_arn(&self.boundary_policy_name())
    }

    pub fn role_arn(&self, role_name: &str) -> String {
        self.iam_arn("role", role_name)
    }

    pub fn policy_arn(&self, policy_name: &str) -> String {
        self.iam_arn("policy", policy_name)
    }

    /// The OIDC provider of the account that stands for the issuer with this
    /// URL. An account has one per URL, whoever made it.
    pub fn oidc_provider_arn(&self, issuer_url: &str) -> String {
        let name = issuer_url.strip_prefix("https://").unwrap_or(issuer_url);
        self.iam_arn("oidc-provider", name)
    }

    fn iam_arn(&self, kind: &str, name: &str) -> String {
        format!(
            "arn:{}:iam::{}:{kind}/{name}",
            self.aws.partition.as_str(),
            self.aws.account_id
        )
    }
}

/// A part of AWS with its own accounts and endpoints (AWS docs: "Amazon
/// Resource Names", partitions).
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
pub enum Partition {
    #[serde(rename = "aws")]
    Aws,
    #[serde(rename = "aws-us-gov")]
    AwsUsGov,
    #[serde(rename = "aws-cn")]
    AwsCn,
}

impl Partition {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsCn => "aws-cn",
        }
    }
}

impl std::str::FromStr for Partition {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "aws" => Ok(Self::Aws),
            "aws-us-gov" => Ok(Self::AwsUsGov),
            "aws-cn" => Ok(Self::AwsCn),
            _ => Err(()),
        }
    }
}

/// A 12-digit AWS account id.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "123456789012")]
pub struct AccountId(String);

#[derive(Debug, thiserror::Error)]
#[error("an AWS account id has 12 digits, without dashes or spaces")]
pub struct InvalidAccountId;

checked_text!(AccountId);

impl std::str::FromStr for AccountId {
    type Err = InvalidAccountId;

    fn from_str(text: &str) -> Result<Self, InvalidAccountId> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) && text != "000000000000" {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAccountId)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_ids_are_twelve_digits() {
        assert!("123456789012".parse::<AccountId>().is_ok());
        for wrong in [
            "",
            "12345678901",
            "1234567890123",
            "1234-5678-9012",
            "12345678901a",
            "000000000000",
            "１２３４５６７８９０１２",
        ] {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
    }
}
