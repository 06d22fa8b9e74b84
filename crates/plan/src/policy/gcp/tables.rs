//! The table, as it is written down.

use landfall_model::grant::{GcpIdentity, GcpPlace};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// Resource to verbs, separated by blanks.
type Verbs = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    #[serde(rename = "about")]
    _about: String,
    pub(super) groups: Vec<Group>,
    pub(super) refused: Vec<Refused>,
    folder: Above,
    organization: Above,
    pub(super) apis: Apis,
}

/// What is added where the grant is made above the project, and asked there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Above {
    pub(super) groups: Vec<Group>,
    pub(super) refused: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) identity: GcpIdentity,
    permissions: Verbs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refused {
    pub(super) id: String,
    /// Continues "the provisioner …".
    pub(super) title: String,
    pub(super) identities: Vec<GcpIdentity>,
    permissions: Verbs,
}

/// Names of APIs, without their domain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Apis {
    /// By which everything else can be switched on.
    pub(super) first: Vec<String>,
    /// Those that acting as a service account takes.
    pub(super) entry: Vec<String>,
    /// What a pool takes besides.
    pub(super) federation: Vec<String>,
    pub(super) free: Vec<String>,
    pub(super) billed: Vec<String>,
}

impl Table {
    pub(super) const fn above(&self, place: GcpPlace<'_>) -> Option<&Above> {
        match place {
            GcpPlace::Project(_) => None,
            GcpPlace::Parent(parent) if parent.is_folder() => Some(&self.folder),
            GcpPlace::Parent(_) => Some(&self.organization),
        }
    }
}

impl Group {
    pub(super) fn permissions(&self) -> BTreeSet<String> {
        expand(&self.permissions)
    }
}

impl Refused {
    pub(super) fn permissions(&self) -> BTreeSet<String> {
        expand(&self.permissions)
    }
}

fn expand(verbs: &Verbs) -> BTreeSet<String> {
    verbs
        .iter()
        .flat_map(|(resource, verbs)| {
            verbs
                .split(' ')
                .map(move |verb| format!("{resource}.{verb}"))
        })
        .collect()
}

pub(super) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        serde_json::from_str(include_str!("permissions.json"))
            .expect("the committed table is well-formed")
    })
}

/// Everything that an account's custom role has.
pub(super) fn permissions_of(identity: GcpIdentity, place: GcpPlace<'_>) -> BTreeSet<String> {
    let table = table();
    table
        .groups
        .iter()
        .chain(
            table
                .above(place)
                .into_iter()
                .flat_map(|above| &above.groups),
        )
        .filter(|group| group.identity == identity)
        .flat_map(Group::permissions)
        .collect()
}
