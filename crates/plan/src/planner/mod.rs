//! The plan: the difference between what is wanted, recorded and observed, as
//! a pure function. It never deletes: what is no longer wanted is retained.

mod edits;
mod reason;

pub use reason::changed;

use crate::{
    diff::{self, Compared, Difference},
    generation::named,
    known::{Facts, Known},
    order::topological,
    policy::aws::{Operation, refused_change},
};
use landfall_model::{
    Error, Timestamp,
    approval::{must_be_seen, plan_digest},
    driver::PatchOperation,
    error::Code,
    graph::{Address, Graph, Lookup, Node, Replacement},
    id::{EnvironmentId, OrganizationId, PlanId},
    plan::{Action, Change, Edit, Plan, State, Summary},
    resource::{Observation, Resource},
};
use reason::{adopted, why};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub struct PlanInput<'a> {
    pub id: PlanId,
    pub organization_id: OrganizationId,
    pub environment_id: EnvironmentId,
    pub now: Timestamp,
    /// Empty to retain everything.
    pub graph: Graph,
    pub endpoints: BTreeMap<String, Value>,
    pub recorded: &'a [Resource],
    /// By [`crate::observe::targets`], complete.
    pub observed: &'a BTreeMap<Address, Observation>,
}

/// # Errors
/// `plan-blocked` when something cannot be read, when nodes wait for each
/// other, or when a replacement could not stand beside the old one.
pub fn plan(input: PlanInput<'_>) -> Result<Plan, Error> {
    let order = topological(&input.graph)?;
    let recorded: BTreeMap<&Address, &Resource> =
        input.recorded.iter().map(|it| (&it.address, it)).collect();
    refuse_unreadable(&input.graph, input.observed)?;

    let mut planner = Planner {
        known: Known::default(),
        graph: Graph::default(),
        actions: Vec::new(),
        edits: BTreeMap::new(),
    };
    for address in &order {
        let Some(node) = input.graph.nodes.get(address) else {
            continue;
        };
        let observed = input.observed.get(address);
        planner.node(node, recorded.get(address).copied(), observed)?;
    }
    for (address, resource) in &recorded {
        if !input.graph.nodes.contains_key(*address) {
            planner.retain(resource, input.observed.get(*address));
        }
    }

    let Planner {
        graph,
        actions,
        edits,
        ..
    } = planner;
    let digest = plan_digest(&input.environment_id, &graph, &actions)
        .map_err(|error| Error::internal("computing the plan's digest", error))?;
    Ok(Plan {
        id: input.id,
        organization_id: input.organization_id,
        environment_id: input.environment_id,
        needs_person: must_be_seen(&graph, &actions),
        summary: summary(&actions),
        graph,
        actions,
        edits,
        digest,
        endpoints: input.endpoints,
        state: State::Proposed,
        created_at: input.now,
        version: 1,
    })
}

fn refuse_unreadable(
    graph: &Graph,
    observed: &BTreeMap<Address, Observation>,
) -> Result<(), Error> {
    let mut unreadable = observed.iter().filter_map(|(address, observation)| {
        match (graph.nodes.get(address), observation) {
            (Some(node), Observation::Unreadable { reason }) => Some((node, reason)),
            _ => None,
        }
    });
    let Some((first, reason)) = unreadable.next() else {
        return Ok(());
    };
    let error = Error::new(
        Code::PlanBlocked,
        format!(
            "{} ({}) could not be read: {reason}",
            first.address, first.type_name
        ),
        "a plan made without knowing what is there could break it: put this right and plan again",
    )
    .with_violation(first.address.as_str(), reason.as_str(), None);
    Err(unreadable.fold(error, |error, (node, reason)| {
        error.with_violation(node.address.as_str(), reason.as_str(), None)
    }))
}

struct Planner {
    known: Known,
    /// Nodes as they are finally named.
    graph: Graph,
    actions: Vec<Action>,
    edits: BTreeMap<Address, Vec<Edit>>,
}

impl Planner {
    fn node(
        &mut self,
        node: &Node,
        recorded: Option<&Resource>,
        observed: Option<&Observation>,
    ) -> Result<(), Error> {
        match (recorded, observed) {
            (
                Some(recorded),
                Some(Observation::Present {
                    identifier,
                    properties,
                }),
            ) => self.existing(node, Some(recorded), identifier, properties),
            (
                None,
                Some(Observation::Present {
                    identifier,
                    properties,
                }),
            ) => self.existing(node, None, identifier, properties),
            (Some(recorded), Some(Observation::Absent)) => {
                self.lost(node, recorded);
                Ok(())
            }
            (None, None | Some(Observation::Absent)) => {
                let reason = "wanted, and not there yet".to_owned();
                self.create(&named(node, 1), None, reason);
                Ok(())
            }
            (Some(_), None) | (_, Some(Observation::Unreadable { .. })) => Err(Error::internal(
                "planning",
                format!("{} was not looked at", node.address),
            )),
        }
    }

    /// A resource that is there, recorded or found.
    fn existing(
        &mut self,
        node: &Node,
        recorded: Option<&Resource>,
        identifier: &str,
        observed: &Value,
    ) -> Result<(), Error> {
        let generation = recorded.map_or(1, |it| it.generation.max(1));
        if let Some(recorded) = recorded.filter(|it| it.type_name != node.type_name) {
            let because = vec![format!("type {}", recorded.type_name)];
            return self.replace(node, identifier, generation, because);
        }
        let node_now = named(node, generation);
        let desired = self.known.settle(&node_now.properties);
        let difference = diff::compare(&Compared {
            node: &node_now,
            desired: &desired,
            observed,
            applied: recorded.map(|it| &it.applied),
            returned: recorded.map(|it| &it.outputs),
        });
        if !difference.fixed.is_empty() {
            let edits = edits::of_pointers(&node_now, &difference.fixed, &desired, observed);
            self.edit(&node.address, edits);
            return self.replace(node, identifier, generation, difference.fixed);
        }
        let identifier = identifier.to_owned();
        let permitted = permitted(&node_now, observed, &difference);
        let edits = edits::of_patch(&node_now, &permitted.patch, observed);
        self.edit(&node.address, edits);
        let left = permitted
            .left
            .map(|left| format!("; {left}"))
            .unwrap_or_default();
        let (change, reason) = match (recorded, permitted.patch.is_empty()) {
            (Some(_), true) => (
                Change::NoChange {
                    identifier: identifier.clone(),
                },
                if difference.is_empty() {
                    AS_WANTED.to_owned()
                } else {
                    why(&difference) + &left
                },
            ),
            (Some(_), false) => (
                Change::Update {
                    identifier: identifier.clone(),
                    patch: permitted.patch,
                },
                why(&difference) + &left,
            ),
            (None, _) => (
                Change::Adopt {
                    identifier: identifier.clone(),
                    patch: permitted.patch,
                },
                adopted(&node_now, &difference) + &left,
            ),
        };
        let facts = Facts {
            identifier,
            properties: Some(observed.clone()),
            outputs: recorded.map(|it| it.outputs.clone()),
        };
        self.known.learn(node.address.clone(), facts);
        self.act(node_now, change, reason);
        Ok(())
    }

    fn replace(
        &mut self,
        node: &Node,
        identifier: &str,
        generation: u32,
        because: Vec<String>,
    ) -> Result<(), Error> {
        let next = named(node, generation.saturating_add(1));
        if let Lookup::Name {
            identifier: new, ..
        } = &next.lookup
            && self.known.settle(new).as_str() == Some(identifier)
        {
            return Err(Error::new(
                Code::PlanBlocked,
                format!(
                    "{} would have to be replaced ({} cannot be changed in place), but a second {} cannot stand beside the first",
                    node.address,
                    because.join(", "),
                    node.type_name
                ),
                "take the change back, or remove the resource by hand and plan again",
            )
            .with_violation(node.address.as_str(), because.join(", "), None));
        }
        self.predict(&next, None);
        let revision = node.replacement == Replacement::Revision;
        let reason = match (revision, node.stateful) {
            (true, _) => format!("a new revision, because of {}", because.join(", ")),
            (false, true) => format!(
                "{} cannot be changed in place: an empty one is made, the old one and its data are kept",
                because.join(", ")
            ),
            (false, false) => format!(
                "{} cannot be changed in place: a new one is made, the old one is kept",
                because.join(", ")
            ),
        };
        let change = Change::Replace {
            identifier: identifier.to_owned(),
            because,
            properties: next.properties.clone(),
            generation: generation.saturating_add(1),
            revision,
            stateful: node.stateful,
        };
        self.act(next, change, reason);
        Ok(())
    }

    fn lost(&mut self, node: &Node, recorded: &Resource) {
        let node = named(node, recorded.generation.max(1));
        let gone = &recorded.identifier;
        let reason = if node.stateful {
            format!("{gone} was deleted outside Landfall, with what it held; an empty one is made")
        } else {
            format!("{gone} was deleted outside Landfall")
        };
        self.create(&node, Some(recorded), reason);
    }

    fn create(&mut self, node: &Node, lost: Option<&Resource>, reason: String) {
        self.predict(node, lost);
        let change = Change::Create {
            properties: node.properties.clone(),
            lost: lost.map(|it| it.identifier.clone()),
        };
        self.act(node.clone(), change, reason);
    }

    /// What will be certain of a resource that is not there: its identifier,
    /// where that is its name.
    fn predict(&mut self, node: &Node, lost: Option<&Resource>) {
        let Lookup::Name { identifier, .. } = &node.lookup else {
            return;
        };
        let Some(Value::String(name)) = self.known.resolved(identifier) else {
            return;
        };
        let facts = Facts {
            // Under the same name it gets the same identifier, however the
            // cloud writes it.
            identifier: lost.map_or(name, |it| it.identifier.clone()),
            properties: None,
            outputs: None,
        };
        self.known.learn(node.address.clone(), facts);
    }

    fn retain(&mut self, resource: &Resource, observed: Option<&Observation>) {
        let reason = match observed {
            Some(Observation::Absent) => "no longer wanted, and no longer found in the account",
            _ => "no longer wanted: it stays in the account until someone approves its destruction",
        };
        self.actions.push(Action {
            address: resource.address.clone(),
            type_name: resource.type_name.clone(),
            title: resource.title.clone(),
            change: Change::Retain {
                identifier: resource.identifier.clone(),
                stateful: resource.stateful,
            },
            reason: reason.to_owned(),
            needs: BTreeSet::new(),
        });
    }

    fn edit(&mut self, address: &Address, edits: Vec<Edit>) {
        if !edits.is_empty() {
            self.edits.insert(address.clone(), edits);
        }
    }

    fn act(&mut self, node: Node, change: Change, reason: String) {
        self.actions.push(Action {
            address: node.address.clone(),
            type_name: node.type_name.clone(),
            title: node.title.clone(),
            change,
            reason,
            needs: node.dependencies(),
        });
        self.graph.nodes.insert(node.address.clone(), node);
    }
}

pub use landfall_model::plan::AS_WANTED;

struct Permitted {
    patch: Vec<PatchOperation>,
    /// What the provisioner may not change, and why.
    left: Option<String>,
}

/// The part of a patch that the grant lets us make. The rest is a person's to
/// change in the account: trying it would fail every rollout, and blocking the
/// plan would hold up everything else.
fn permitted(node: &Node, observed: &Value, difference: &Difference) -> Permitted {
    let mut patch = Vec::new();
    let mut left: Vec<String> = Vec::new();
    let mut because = None;
    for operation in &difference.patch {
        let (PatchOperation::Add { path, .. }
        | PatchOperation::Replace { path, .. }
        | PatchOperation::Remove { path }) = operation;
        let property = path.split('/').nth(1).unwrap_or_default();
        let update = Operation::Update { observed };
        match refused_change(&node.type_name, update, [property]) {
            None => patch.push(operation.clone()),
            Some(reason) => {
                if !left.iter().any(|it| it == property) {
                    left.push(property.to_owned());
                }
                because = Some(reason);
            }
        }
    }
    Permitted {
        patch,
        left: because.map(|reason| {
            format!(
                "{} stays as it is until a person changes it in the account: {reason}",
                left.join(", ")
            )
        }),
    }
}

fn summary(actions: &[Action]) -> Summary {
    let mut summary = Summary::default();
    for action in actions {
        let count = match &action.change {
            Change::Create { .. } => &mut summary.create,
            Change::Update { .. } => &mut summary.update,
            Change::Replace { revision: true, .. } => &mut summary.revise,
            Change::Replace { .. } => &mut summary.replace,
            Change::Adopt { .. } => &mut summary.adopt,
            Change::Retain { .. } => &mut summary.retain,
            Change::NoChange { .. } => &mut summary.no_change,
        };
        *count += 1;
    }
    summary
}
