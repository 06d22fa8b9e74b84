//! Putting nodes together: tags, property classes and lookups, the same for
//! every type.

use super::names::Names;
use crate::{aws, blueprint::Input};
use landfall_model::{
    Error,
    graph::{Address, Graph, Lookup, Node, Replacement, TAG_ADDRESS, TAG_ENVIRONMENT, reference},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How a node of a type is found again, and where its name stands.
pub(super) enum Find {
    /// The name is the identifier.
    Name(&'static str),
    /// The identifier is made by the cloud; `name` is where the name stands.
    Tags {
        scope: Option<Value>,
        name: Option<&'static str>,
    },
    /// The identifier is composed of others.
    Identifier(Value),
    /// No name, no tags.
    Properties(&'static [&'static str]),
}

/// What differs from node to node.
pub(super) struct Draft {
    pub address: String,
    pub type_name: &'static str,
    pub title: String,
    pub properties: Value,
    pub find: Find,
}

pub(super) struct Builder<'a> {
    pub input: &'a Input<'a>,
    pub names: Names<'a>,
    pub graph: Graph,
}

pub(super) fn address(text: &str) -> Address {
    Address::new(text)
}

/// An output of another node.
pub(super) fn output(node: &Address, attr: &str) -> Value {
    reference(node, attr)
}

/// Text put together from texts and references.
pub(super) fn concat(parts: Vec<Value>) -> Value {
    json!({ "$concat": parts })
}

impl<'a> Builder<'a> {
    pub fn new(input: &'a Input<'a>) -> Self {
        Self {
            names: Names::new(input.application, input.environment),
            input,
            graph: Graph::default(),
        }
    }

    pub fn region(&self) -> &'a str {
        &self.input.environment.region
    }

    /// An ARN of this account and region.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!(
            "arn:{}:{service}:{}:{}:{resource}",
            self.input.account.partition.as_str(),
            self.region(),
            self.input.account.id
        )
    }

    /// Adds an ordinary node; change what is special about it in place.
    ///
    /// # Errors
    /// Internal: the type is not in the table, or the address is taken.
    pub fn add(&mut self, draft: Draft) -> Result<&mut Node, Error> {
        let facts = aws::facts(draft.type_name)?;
        let address = address(&draft.address);
        let mut properties = draft.properties;
        let name = match &draft.find {
            Find::Name(pointer)
            | Find::Tags {
                name: Some(pointer),
                ..
            } => properties.pointer(pointer).cloned(),
            _ => None,
        };
        if let (Some(property), Some(members)) = (&facts.tags, properties.as_object_mut()) {
            let tags = self.tags(draft.type_name, &address, name.as_ref());
            members.insert(property.clone(), tags);
        }
        let lookup = match draft.find {
            Find::Name(pointer) => Lookup::Name {
                identifier: name.unwrap_or_default(),
                name_pointer: Some(pointer.to_owned()),
            },
            Find::Tags { scope, name } => Lookup::Tags {
                scope,
                name_pointer: name.map(str::to_owned),
            },
            Find::Identifier(identifier) => Lookup::Name {
                identifier,
                name_pointer: None,
            },
            Find::Properties(pointers) => Lookup::Properties {
                scope: None,
                pointers: pointers.iter().map(|it| (*it).to_owned()).collect(),
            },
        };
        let node = Node {
            address: address.clone(),
            type_name: draft.type_name.to_owned(),
            title: draft.title,
            properties,
            needs: BTreeSet::new(),
            stateful: false,
            lookup,
            replacement: Replacement::Guarded,
            create_only: facts.create_only.iter().cloned().collect(),
            write_only: facts.write_only.iter().cloned().collect(),
            monthly_cents: None,
        };
        if self.graph.nodes.insert(address.clone(), node).is_some() {
            return Err(Error::internal(
                "expanding the blueprint",
                format!("two nodes have the address {address}"),
            ));
        }
        self.graph.nodes.get_mut(&address).ok_or_else(|| {
            Error::internal("expanding the blueprint", format!("{address} is not there"))
        })
    }

    fn tags(&self, type_name: &str, address: &Address, name: Option<&Value>) -> Value {
        let environment = self.input.environment;
        let mut tags: Vec<(&str, Value)> = Vec::new();
        if type_name.starts_with("AWS::EC2::") {
            // The console shows this tag as the name of what has none.
            let shown = name.cloned().unwrap_or_else(|| {
                json!(format!(
                    "landfall {}/{} {address}",
                    self.input.application, environment.name
                ))
            });
            tags.push(("Name", shown));
        }
        tags.push(("landfall:managed", json!("true")));
        tags.push(("landfall:application", json!(self.input.application)));
        tags.push((TAG_ENVIRONMENT, json!(environment.id.as_str())));
        tags.push((TAG_ADDRESS, json!(address.as_str())));
        tags.push((
            "landfall:connection",
            json!(environment.connection_id.as_str()),
        ));
        tags.iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect()
    }
}

/// Marks a node that holds the customer's data.
pub(super) fn protect(node: &mut Node) {
    node.stateful = true;
    if let Some(Value::Array(tags)) = node.properties.get_mut("Tags") {
        tags.push(json!({"Key": "landfall:protected", "Value": "true"}));
    }
}

/// Adds nodes to wait for.
pub(super) fn wait_for<'n>(node: &mut Node, others: impl IntoIterator<Item = &'n Address>) {
    node.needs.extend(others.into_iter().cloned());
}
