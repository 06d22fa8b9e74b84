//! The grant on AWS: two roles with their policies, and a boundary.

use super::Identity;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The audience of assertions for AWS (AWS docs: "Create an OpenID Connect
/// identity provider in IAM").
pub const AWS_AUDIENCE: &str = "sts.amazonaws.com";

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

/// Everything that a grant on AWS consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsGrant {
    /// Stored in the tag `landfall:grant-version` of the roles.
    pub version: u32,
    pub boundary: PolicyDocument,
    /// The provisioner, and the reaper unless it was left out.
    pub roles: Vec<RoleSpec>,
    pub permissions: Vec<PermissionGroup>,
    /// The CloudFormation template that makes all of this.
    pub template: Value,
}
