use crate::{
    Timestamp,
    id::{ApplicationId, OrganizationId},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A set of workloads that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Application {
    pub id: ApplicationId,
    pub organization_id: OrganizationId,
    /// `[a-z][a-z0-9-]{0,30}`: part of resource names.
    pub name: String,
    /// Score files (`score.dev/v1b1`) by workload name, as they were given.
    pub workloads: BTreeMap<String, Workload>,
    pub state: State,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Workload {
    /// The Score file's text, already parsed once without error.
    pub score: String,
    pub updated_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
#[schema(as = ApplicationState)]
pub enum State {
    Active,
    /// Gone from Landfall's lists; what its environments made is retained.
    Deleted {
        at: Timestamp,
    },
}
