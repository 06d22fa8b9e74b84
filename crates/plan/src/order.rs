//! The order in which nodes can be done one after another.

use landfall_model::{
    Error,
    error::Code,
    graph::{Address, Graph},
};
use petgraph::{algo::tarjan_scc, graph::DiGraph};
use std::collections::{BTreeMap, BTreeSet};

/// Every node after all that it needs; among those that could be next, by
/// address.
///
/// # Errors
/// `plan-blocked` when nodes wait for each other or for one that is not there.
pub(crate) fn topological(graph: &Graph) -> Result<Vec<Address>, Error> {
    let mut waiting: BTreeMap<&Address, BTreeSet<Address>> = BTreeMap::new();
    let mut followers: BTreeMap<Address, Vec<&Address>> = BTreeMap::new();
    for (address, node) in &graph.nodes {
        let needs = node.dependencies();
        for need in &needs {
            if !graph.nodes.contains_key(need) {
                return Err(blocked(format!(
                    "{address} refers to {need}, which is not in the graph"
                )));
            }
            followers.entry(need.clone()).or_default().push(address);
        }
        waiting.insert(address, needs);
    }
    let mut ready: BTreeSet<&Address> = waiting
        .iter()
        .filter(|(_, needs)| needs.is_empty())
        .map(|(address, _)| *address)
        .collect();
    let mut order = Vec::new();
    while let Some(next) = ready.pop_first() {
        waiting.remove(next);
        order.push(next.clone());
        for follower in followers.get(next).into_iter().flatten() {
            if let Some(needs) = waiting.get_mut(*follower) {
                needs.remove(next);
                if needs.is_empty() {
                    ready.insert(follower);
                }
            }
        }
    }
    if waiting.is_empty() {
        return Ok(order);
    }
    let cycle = cycle(graph);
    Err(blocked(format!(
        "these wait for each other: {}",
        cycle.join(", ")
    )))
}

/// The smallest group of nodes that wait for each other.
fn cycle(graph: &Graph) -> Vec<String> {
    let mut edges = DiGraph::<&str, ()>::new();
    let places: BTreeMap<&Address, _> = graph
        .nodes
        .keys()
        .map(|address| (address, edges.add_node(address.as_str())))
        .collect();
    for (address, node) in &graph.nodes {
        for need in node.dependencies() {
            if let (Some(from), Some(to)) = (places.get(address), places.get(&need)) {
                edges.add_edge(*from, *to, ());
            }
        }
    }
    let mut groups: Vec<Vec<&str>> = tarjan_scc(&edges)
        .into_iter()
        .filter(|group| group.len() > 1)
        .map(|group| {
            group
                .into_iter()
                .filter_map(|it| edges.node_weight(it).copied())
                .collect()
        })
        .collect();
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort_by_key(|group| (group.len(), group.first().copied()));
    let smallest = groups.into_iter().next().unwrap_or_default();
    smallest.into_iter().map(str::to_owned).collect()
}

fn blocked(detail: String) -> Error {
    Error::new(
        Code::PlanBlocked,
        detail,
        "this is a mistake in the blueprint: please report it",
    )
}
