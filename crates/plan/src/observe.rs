//! What to look at before planning, and what a look means: pure, the caller
//! does the reading.
//!
//! ```text
//! loop:
//!   targets = targets(graph, recorded, observed, environment)
//!   if there are none: done
//!   for each: Look::Read  → driver.read(...)
//!             Look::List  → driver.list(...), then driver.read(...) of each
//!                           that is worth_reading(...)
//!             observed[target.address] = target.judge(what was read)
//!                                        or Observation::Unreadable
//! ```
//!
//! It takes several rounds only when something exists that is not recorded:
//! what stands on it can be looked for once it was found.

use crate::{
    generation::named,
    known::{Facts, Known},
};
use landfall_model::{
    driver::Observed,
    graph::{Address, Graph, Lookup, Node, TAG_ADDRESS, matches, tags},
    id::EnvironmentId,
    resource::{Observation, Resource},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The call to make.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    Read {
        identifier: String,
    },
    /// Then read those worth reading: a list may leave properties out.
    List {
        scope: Option<Value>,
    },
}

/// One address to look at.
#[derive(Clone, Debug)]
pub struct Target {
    pub address: Address,
    pub type_name: String,
    pub look: Look,
    environment_id: EnvironmentId,
    /// The node and its properties, for what is not recorded.
    wanted: Option<(Node, Value)>,
    /// Identifiers of what is recorded under other addresses.
    elsewhere: BTreeSet<String>,
}

/// Everything that can be looked at now and was not: recorded resources by
/// their identifier, wanted ones that are not recorded as their node says.
pub fn targets(
    graph: &Graph,
    recorded: &[Resource],
    observed: &BTreeMap<Address, Observation>,
    environment_id: &EnvironmentId,
) -> Vec<Target> {
    let mut found = Vec::new();
    let mut known = Known::default();
    for resource in recorded {
        match observed.get(&resource.address) {
            None => found.push(Target {
                address: resource.address.clone(),
                type_name: resource.type_name.clone(),
                look: Look::Read {
                    identifier: resource.identifier.clone(),
                },
                environment_id: environment_id.clone(),
                wanted: None,
                elsewhere: BTreeSet::new(),
            }),
            // Gone: what stood on it is not looked for.
            Some(Observation::Absent) => continue,
            Some(_) => {}
        }
        known.learn(resource.address.clone(), recorded_facts(resource));
    }
    let is_recorded = |address: &Address| recorded.iter().any(|it| &it.address == address);
    for (address, observation) in observed {
        if let Observation::Present {
            identifier,
            properties,
        } = observation
            && !is_recorded(address)
        {
            let facts = Facts {
                identifier: identifier.clone(),
                properties: Some(properties.clone()),
                outputs: None,
            };
            known.learn(address.clone(), facts);
        }
    }
    for (address, node) in &graph.nodes {
        if is_recorded(address) || observed.contains_key(address) {
            continue;
        }
        let node = named(node, 1);
        if let Some(look) = look(&node, &known) {
            let properties = known.settle(&node.properties);
            found.push(Target {
                address: address.clone(),
                type_name: node.type_name.clone(),
                look,
                environment_id: environment_id.clone(),
                elsewhere: recorded
                    .iter()
                    .filter(|it| it.type_name == node.type_name)
                    .map(|it| it.identifier.clone())
                    .collect(),
                wanted: Some((node, properties)),
            });
        }
    }
    found
}

fn recorded_facts(resource: &Resource) -> Facts {
    Facts {
        identifier: resource.identifier.clone(),
        properties: Some(resource.outputs.clone()),
        outputs: None,
    }
}

/// `None` when it stands on something that does not exist: then it does not
/// exist either.
fn look(node: &Node, known: &Known) -> Option<Look> {
    let scope = |scope: &Option<Value>| match scope {
        None => Some(None),
        Some(scope) => known.resolved(scope).map(Some),
    };
    Some(match &node.lookup {
        Lookup::Name { identifier, .. } => Look::Read {
            identifier: known.resolved(identifier)?.as_str()?.to_owned(),
        },
        Lookup::Tags { scope: inside, .. } => Look::List {
            scope: scope(inside)?,
        },
        Lookup::Properties {
            scope: inside,
            pointers,
        } => {
            for pointer in pointers {
                known.resolved(node.properties.pointer(pointer)?)?;
            }
            Look::List {
                scope: scope(inside)?,
            }
        }
    })
}

impl Target {
    /// Whether something from a list may be it, so that it should be read whole.
    pub fn worth_reading(&self, listed: &Observed) -> bool {
        match &self.wanted {
            Some((node, wanted)) if matches!(node.lookup, Lookup::Tags { .. }) => {
                !tags(&listed.properties).contains_key(TAG_ADDRESS)
                    || matches(node, wanted, &self.environment_id, &listed.properties)
            }
            Some(_) => !self.elsewhere.contains(&listed.identifier),
            None => true,
        }
    }

    /// What the look found: `read` holds what was read whole.
    pub fn judge(&self, read: &[Observed]) -> Observation {
        let present = |it: &Observed| Observation::Present {
            identifier: it.identifier.clone(),
            properties: it.properties.clone(),
        };
        let Some((node, wanted)) = &self.wanted else {
            return read.first().map_or(Observation::Absent, present);
        };
        // One resource is not two: what is recorded under another address is that
        // one, however alike they are.
        let ours: Vec<&Observed> = read
            .iter()
            .filter(|it| !self.elsewhere.contains(&it.identifier))
            .filter(|it| matches(node, wanted, &self.environment_id, &it.properties))
            .collect();
        match (ours.as_slice(), &self.look, read.first()) {
            ([only], _, _) => present(only),
            ([], Look::Read { identifier }, Some(_)) => Observation::Unreadable {
                reason: format!("{identifier} exists, and is something or somebody else's"),
            },
            ([], _, _) => Observation::Absent,
            (several, _, _) => {
                let names: Vec<&str> = several.iter().map(|it| it.identifier.as_str()).collect();
                Observation::Unreadable {
                    reason: format!("several resources claim to be it: {}", names.join(", ")),
                }
            }
        }
    }
}
