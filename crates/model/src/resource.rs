//! Resources that an environment has: what was applied and how it looked.

use crate::{Timestamp, graph::Address, id::EnvironmentId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The recorded state of one resource, by environment and address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Resource {
    pub environment_id: EnvironmentId,
    pub address: Address,
    pub type_name: String,
    pub title: String,
    pub identifier: String,
    pub account_id: String,
    pub region: String,
    /// The owned properties as last applied, references resolved. Without
    /// write-only ones that are secrets: blueprints put none in.
    #[schema(value_type = Object)]
    pub applied: Value,
    /// As last read.
    #[schema(value_type = Object)]
    pub outputs: Value,
    pub stateful: bool,
    /// Counts replacements, from 1. From 2 on it is a suffix of the name.
    pub generation: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_cents: Option<u32>,
    pub updated_at: Timestamp,
}

/// What a look at one address found, for the planner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Observation {
    Present {
        identifier: String,
        properties: Value,
    },
    Absent,
    /// It could not be read; the plan says so instead of guessing.
    Unreadable {
        reason: String,
    },
}
