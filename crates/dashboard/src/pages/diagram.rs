//! The resource graph as a picture, shared by environments, plans and
//! rollouts.

use crate::drawing::{self, BOX_HEIGHT, BOX_WIDTH, Drawing};
use crate::show::{self, Badge};
use askama::Template;
use landfall_model::{
    graph::{Address, Graph},
    rollout::{NodeState, RolloutProgress},
};
use std::collections::{BTreeMap, BTreeSet};

/// What a box says.
pub struct Box {
    pub title: String,
    pub kind: String,
    /// Its class colours it.
    pub badge: Badge,
    pub x: i32,
    pub y: i32,
}

#[derive(Template)]
#[template(path = "diagram.html")]
pub struct Diagram {
    drawing: Drawing,
    boxes: Vec<Box>,
}

impl Diagram {
    pub fn new(graph: &Graph, badge: impl Fn(&Address) -> Badge) -> Self {
        let needs: BTreeMap<String, BTreeSet<String>> = graph
            .nodes
            .iter()
            .map(|(address, node)| {
                let needs = node.dependencies();
                let needs = needs.iter().map(|need| need.as_str().to_owned());
                (address.as_str().to_owned(), needs.collect())
            })
            .collect();
        let drawing = drawing::draw(&needs);
        let boxes = drawing
            .boxes
            .iter()
            .filter_map(|placed| {
                let node = graph.nodes.get(&Address::new(placed.name.as_str()))?;
                Some(Box {
                    title: shortened(&node.title, 27),
                    kind: crate::show::kind(&node.type_name),
                    badge: badge(&node.address),
                    x: placed.x,
                    y: placed.y,
                })
            })
            .collect();
        Self { drawing, boxes }
    }

    /// Coloured by how far a rollout is.
    pub fn of_rollout(graph: &Graph, progress: &RolloutProgress) -> Self {
        Self::new(graph, |address| {
            let state = progress.nodes.get(address);
            show::node(state.unwrap_or(&NodeState::Waiting))
        })
    }
}

/// At most `length` characters: a box has a fixed width.
fn shortened(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(length - 1).collect();
    short.push('…');
    short
}
