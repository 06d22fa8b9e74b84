//! What the customer gives us, and the ways to give it.

use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The audience of assertions for AWS (AWS docs: "Create an OpenID Connect
/// identity provider in IAM").
pub const AWS_AUDIENCE: &str = "sts.amazonaws.com";

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
}

impl ServerPrincipal {
    /// The ARN or the URL.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Aws { arn } => arn,
            Self::Issuer { url } => url,
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

/// A policy document with the name that it gets in the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDocument {
    pub name: String,
    /// Why these permissions are needed, for the reviewer.
    pub purpose: String,
    pub document: Value,
}

/// One role of a grant, complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSpec {
    pub identity: Identity,
    pub name: String,
    pub description: String,
    /// Seconds.
    pub max_session: u32,
    pub trust: Value,
    /// Managed policies, each within IAM's 6,144 characters, at most ten.
    pub policies: Vec<PolicyDocument>,
    pub tags: BTreeMap<String, String>,
}

/// Permissions that are checked together, for one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionGroup {
    /// `network`, `database`, …
    pub id: String,
    pub title: String,
    /// Each question is asked with its own resource and context.
    pub questions: Vec<PermissionQuestion>,
}

/// One simulated call: must it be allowed or refused?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionQuestion {
    pub identity: Identity,
    pub actions: Vec<String>,
    /// `*` or an ARN in the customer's account.
    pub resource: String,
    /// Condition keys and their values.
    pub context: BTreeMap<String, Vec<String>>,
    pub expect_allowed: bool,
}

/// Everything that a grant consists of, derived from one source of truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantSpec {
    /// Counts up with every change of the policies' meaning; stored in the tag
    /// `landfall:grant-version` of the roles.
    pub version: u32,
    pub boundary: PolicyDocument,
    /// The provisioner, and the reaper unless it was left out.
    pub roles: Vec<RoleSpec>,
    pub permissions: Vec<PermissionGroup>,
    /// The CloudFormation template that makes all of this.
    pub template: Value,
}

/// The ways to make the grant, for a person. All make the same roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GrantGuide {
    pub version: u32,
    pub digest: Digest,
    /// Whom the roles will trust: this server's role or user, or with `oidc` the
    /// provider in the account that stands for this server's issuer.
    pub principal_arn: String,
    pub external_id: String,
    /// One click; absent when the operator has no template bucket.
    pub quick_create: QuickCreate,
    /// Path on this server where the template can be read.
    pub template_path: String,
    /// Shell commands with the AWS CLI and CloudFormation.
    pub cloudformation_commands: String,
    /// Shell commands with the AWS CLI, without CloudFormation.
    pub iam_commands: String,
    /// By hand in the console.
    pub console_steps: Vec<String>,
    /// How to take it back later.
    pub revoke_steps: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum QuickCreate {
    Link { url: String },
    Unavailable { reason: String },
}
