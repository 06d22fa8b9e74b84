//! The difference between wanted, recorded and observed.

pub mod items;
pub mod render;

use crate::{
    Timestamp,
    digest::Digest,
    driver::PatchOperation,
    graph::{Address, Graph},
    id::{EnvironmentId, OrganizationId, PlanId},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[schema(as = PlannedChange)]
pub enum Change {
    Create {
        #[schema(value_type = Object)]
        properties: Value,
        /// The one that was recorded here and is gone from the account. What a
        /// stateful one held is gone with it: a person must say yes to an
        /// empty one in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lost: Option<String>,
    },
    /// Only owned paths. Values may hold references to nodes that the same
    /// plan makes.
    Update {
        identifier: String,
        patch: Vec<PatchOperation>,
    },
    /// A new one beside the old; the old becomes retained, never deleted.
    Replace {
        identifier: String,
        /// The create-only properties that differ.
        because: Vec<String>,
        #[schema(value_type = Object)]
        properties: Value,
        generation: u32,
        /// A new revision of a free, immutable type: needs no person.
        revision: bool,
        stateful: bool,
    },
    /// It exists and is ours (by name, tag or properties) but was not recorded.
    Adopt {
        identifier: String,
        patch: Vec<PatchOperation>,
    },
    /// No longer wanted: stays in the account and moves to the retained list.
    Retain {
        identifier: String,
        stateful: bool,
    },
    NoChange {
        identifier: String,
    },
}

impl Change {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Replace { revision: true, .. } => "revise",
            Self::Replace { .. } => "replace",
            Self::Adopt { .. } => "adopt",
            Self::Retain { .. } => "retain",
            Self::NoChange { .. } => "no-change",
        }
    }
}

/// The reason of a resource that differs in nothing. Any other reason of
/// [`Change::NoChange`] says why a difference is left.
pub const AS_WANTED: &str = "as wanted";

/// What a plan does with one address, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PlannedAction)]
pub struct Action {
    pub address: Address,
    pub type_name: String,
    pub title: String,
    pub change: Change,
    /// A sentence for people: "the Score file's image changed".
    pub reason: String,
    /// Nodes of this plan that must be done first.
    pub needs: BTreeSet<Address>,
}

/// What a change does to one property, for people to read. The engine goes by
/// the patch, which says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PlannedEdit)]
pub struct Edit {
    /// A JSON pointer in which an item that has a name stands by its name:
    /// `/Tags/team`, `/ContainerDefinitions/main/Image`.
    pub path: String,
    /// What was there when the plan was made; absent when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// What is wanted; absent when nothing is. May hold references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// The cloud never returns it, so it may be a secret: neither value is here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PlanSummary)]
pub struct Summary {
    pub create: u32,
    pub update: u32,
    pub replace: u32,
    pub revise: u32,
    pub adopt: u32,
    pub retain: u32,
    pub no_change: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "status", rename_all = "kebab-case")]
#[schema(as = PlanState)]
pub enum State {
    /// Waits for a person.
    Proposed,
    Approved {
        approval: crate::approval::Approval,
    },
    /// A rollout took it; a plan is used once.
    Used {
        approval: crate::approval::Approval,
        rollout_id: crate::id::RolloutId,
    },
    /// The world or the wish changed first; `changed` says what.
    Stale {
        at: Timestamp,
        changed: Vec<String>,
    },
}

impl State {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Approved { .. } => "approved",
            Self::Used { .. } => "used",
            Self::Stale { .. } => "stale",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Plan {
    pub id: PlanId,
    pub organization_id: OrganizationId,
    pub environment_id: EnvironmentId,
    pub graph: Graph,
    /// In an order in which they could be done one after another.
    pub actions: Vec<Action>,
    pub summary: Summary,
    /// What changes of the resources that are there, property by property. Not
    /// under the digest: a cloud returns lists in any order, and the same
    /// change must stay the same plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub edits: BTreeMap<Address, Vec<Edit>>,
    /// Over environment, graph and actions: what an approval binds to.
    pub digest: Digest,
    /// True when no policy may approve it: it replaces something, or makes a
    /// stateful resource anew that was lost.
    pub needs_person: bool,
    /// What the environment will offer: `{"web": "http://…"}`; values may hold
    /// references.
    #[schema(value_type = Object)]
    pub endpoints: BTreeMap<String, Value>,
    pub state: State,
    pub created_at: Timestamp,
    pub version: u64,
}

impl Action {
    /// Whether a person should read it: it changes something, or says why a
    /// difference is left as it is.
    pub fn is_news(&self) -> bool {
        !matches!(self.change, Change::NoChange { .. }) || self.reason != AS_WANTED
    }
}

impl Plan {
    pub fn action(&self, address: &Address) -> Option<&Action> {
        self.actions
            .iter()
            .find(|action| &action.address == address)
    }

    /// What changes of the resource at `address`; empty for one that is new.
    pub fn edits(&self, address: &Address) -> &[Edit] {
        self.edits.get(address).map_or(&[], Vec::as_slice)
    }

    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.actions
            .iter()
            .all(|action| matches!(action.change, Change::NoChange { .. }))
    }
}
