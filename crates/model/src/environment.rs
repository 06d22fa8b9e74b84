//! An application in one connection and region.

use crate::{
    Timestamp,
    id::{ApplicationId, ConnectionId, EnvironmentId, OrganizationId},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
#[schema(as = EnvironmentKind)]
pub enum Kind {
    Production,
    Development,
    Preview,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
            Self::Preview => "preview",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = EnvironmentRuntime)]
pub enum Runtime {
    Serverless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalPolicy {
    /// Plans that neither destroy nor replace approve themselves.
    Automatic,
    /// An Admin approves every plan.
    Manual,
}

/// What Score leaves out. Absent means the default of the environment's kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EnvironmentSettings)]
pub struct Settings {
    /// Container images by `workload.container`; replaces the Score file's
    /// `image: "."`, and any other.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// Availability zones, two or three. Which letters an account has differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Fargate CPU units: 256, 512, 1024, 2048, 4096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// MiB, within what Fargate allows for the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_class: Option<String>,
    /// GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_storage: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_multi_az: Option<bool>,
    /// Days, 1 to 35.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_retention: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
#[schema(as = EnvironmentState)]
pub enum State {
    Active,
    /// Gone from Landfall's lists; every resource it made is retained.
    Deleted {
        at: Timestamp,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Environment {
    pub id: EnvironmentId,
    pub organization_id: OrganizationId,
    pub application_id: ApplicationId,
    pub connection_id: ConnectionId,
    /// `[a-z][a-z0-9-]{0,18}`: part of resource names.
    pub name: String,
    pub kind: Kind,
    pub region: String,
    pub runtime: Runtime,
    pub approval: ApprovalPolicy,
    pub settings: Settings,
    pub state: State,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
}

/// An environment as people look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = EnvironmentView)]
pub struct View {
    #[serde(flatten)]
    pub environment: Environment,
    pub application_name: String,
    /// What stands in its way: its connection was revoked, say. Nothing of that
    /// touches what runs in the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// Where what was deployed answers, by workload. Only when one environment
    /// is looked at, not in lists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, String>,
}
