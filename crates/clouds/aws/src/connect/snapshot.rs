//! The granted roles as they are in the account, and how they differ from what
//! was asked for.

mod compare;
mod document;
mod read;

use landfall_model::{digest::Digest, grant::Identity};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) use compare::differences;
pub(crate) use read::snapshot;

/// The tag that carries the grant's version.
pub(crate) const VERSION_TAG: &str = "landfall:grant-version";

/// Everything that decides what a role may do and who may be it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) trust: Value,
    /// Seconds.
    pub(crate) max_session: i32,
    /// ARN of its own permissions boundary; ours have none.
    pub(crate) boundary: Option<String>,
    /// Those that begin with `landfall:`. Others are the customer's and mean
    /// nothing to our policies.
    pub(crate) tags: BTreeMap<String, String>,
    /// Documents of attached policies by ARN; `None` for one that we may not
    /// read, which is then told apart by its ARN alone.
    pub(crate) attached: BTreeMap<String, Option<Value>>,
    pub(crate) inline: BTreeMap<String, Value>,
}

/// All roles of the grant, and the boundary of roles that Landfall makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Snapshot {
    pub(crate) roles: BTreeMap<Identity, Role>,
    pub(crate) boundary: Option<Value>,
}

impl Snapshot {
    pub(crate) fn digest(&self) -> Digest {
        Digest::of_json(self).expect("a snapshot is strings, numbers and JSON values")
    }

    /// The version written on a role.
    pub(crate) fn version(&self, identity: Identity) -> Option<u32> {
        self.roles
            .get(&identity)?
            .tags
            .get(VERSION_TAG)?
            .parse()
            .ok()
    }
}

#[cfg(test)]
mod tests;
