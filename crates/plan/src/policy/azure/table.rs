//! The table, as it is written down.

use landfall_model::grant::Identity;
use serde::Deserialize;
use std::{collections::BTreeSet, sync::OnceLock};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    #[serde(rename = "about")]
    _about: String,
    pub(super) groups: Vec<Group>,
    pub(super) providers: Vec<Provider>,
    pub(super) assignable: Vec<Assignable>,
    pub(super) refused: Vec<Refused>,
}

/// What belongs together, for one purpose.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) types: Vec<Type>,
    provisioner: Vec<String>,
    reaper: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Type {
    #[serde(rename = "type")]
    pub(super) name: String,
    /// What the provisioner may do besides reading and writing it.
    #[serde(default)]
    also: Vec<String>,
    /// Whether data is lost with it.
    #[serde(default)]
    pub(super) stateful: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Provider {
    pub(super) namespace: String,
    pub(super) purpose: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assignable {
    pub(super) id: String,
    pub(super) name: String,
}

/// What an identity must not be able to do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refused {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) identity: Identity,
    pub(super) actions: Vec<String>,
    #[serde(default)]
    pub(super) stateful_deletes: bool,
}

pub(super) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        serde_json::from_str(include_str!("table.json"))
            .expect("table.json is committed with the code that reads it")
    })
}

impl Group {
    pub(super) fn actions(&self, identity: Identity) -> BTreeSet<String> {
        let (plain, verbs): (&[String], [&str; 2]) = match identity {
            Identity::Provisioner => (&self.provisioner, ["read", "write"]),
            Identity::Reaper => (&self.reaper, ["read", "delete"]),
        };
        let mut actions: BTreeSet<String> = plain.iter().cloned().collect();
        for one in &self.types {
            let also = one.also.iter().map(String::as_str);
            let also = also.filter(|_| identity == Identity::Provisioner);
            actions.extend(
                verbs
                    .into_iter()
                    .chain(also)
                    .map(|verb| format!("{}/{verb}", one.name)),
            );
        }
        actions
    }
}
