//! Statements before they are packed into documents.

use super::{
    place::Place,
    tables::{self, ByIdentity},
};
use crate::policy::aws::PolicyError;
use landfall_model::grant::Identity;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Effect {
    #[default]
    Allow,
    Deny,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Actions {
    Only(BTreeSet<String>),
    AllBut(BTreeSet<String>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    pub(super) sid: String,
    pub(super) effect: Effect,
    pub(super) actions: Actions,
    pub(super) resources: Vec<String>,
    pub(super) condition: Option<Value>,
}

/// Statements for one purpose, kept together where they fit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Section {
    pub(super) purpose: String,
    pub(super) statements: Vec<Statement>,
}

/// A list of one is written without its brackets: every character counts.
fn one_or_many<'a>(items: impl ExactSizeIterator<Item = &'a String>) -> Value {
    let mut items: Vec<Value> = items.map(|item| Value::from(item.as_str())).collect();
    if items.len() == 1 {
        items.remove(0)
    } else {
        Value::Array(items)
    }
}

impl Statement {
    pub(super) fn to_json(&self) -> Value {
        let mut statement = Map::new();
        statement.insert("Sid".into(), json!(self.sid));
        statement.insert("Effect".into(), json!(self.effect));
        let (key, actions) = match &self.actions {
            Actions::Only(actions) => ("Action", actions),
            Actions::AllBut(actions) => ("NotAction", actions),
        };
        statement.insert(key.into(), one_or_many(actions.iter()));
        statement.insert("Resource".into(), one_or_many(self.resources.iter()));
        if let Some(condition) = &self.condition {
            statement.insert("Condition".into(), condition.clone());
        }
        Value::Object(statement)
    }
}

pub(super) fn document(statements: &[Statement]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": statements.iter().map(Statement::to_json).collect::<Vec<_>>(),
    })
}

/// What `identity` needs for all types: by scope, the actions within it.
fn scoped(identity: Identity) -> Result<BTreeMap<usize, BTreeSet<&'static str>>, PolicyError> {
    let mut by_scope: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    let base = tables::base_actions(identity);
    let typed = tables::handlers().types.keys().flat_map(|type_name| {
        tables::actions_of_type(type_name, identity)
            .unwrap_or_default()
            .iter()
            .map(move |action| (type_name.as_str(), *action))
    });
    for (subject, action) in base.chain(typed) {
        let scopes = scopes_of(action, identity);
        if scopes.is_empty() {
            return Err(PolicyError::Unscoped {
                action: action.to_owned(),
                type_name: subject.to_owned(),
            });
        }
        for index in scopes {
            by_scope.entry(*index).or_default().insert(action);
        }
    }
    Ok(by_scope)
}

/// The positions of the scopes in which `identity` is allowed `action`.
pub(super) fn scopes_of(action: &str, identity: Identity) -> &'static [usize] {
    static INDEX: LazyLock<ByIdentity<Vec<usize>>> = LazyLock::new(|| {
        let mut index = ByIdentity::<Vec<usize>>::new();
        for (position, scope) in tables::overlay().scopes.iter().enumerate() {
            let identities = [Identity::Provisioner, Identity::Reaper];
            for identity in identities.into_iter().filter(|one| scope.is_for(*one)) {
                for action in &scope.actions {
                    let actions = index.entry(identity).or_default();
                    actions.entry(action.as_str()).or_default().push(position);
                }
            }
        }
        index
    });
    INDEX
        .get(&identity)
        .and_then(|actions| actions.get(action))
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// All that `identity` is allowed and denied, denials first: they are what a
/// reviewer looks for.
pub(super) fn sections(place: &Place, identity: Identity) -> Result<Vec<Section>, PolicyError> {
    let mut sections = vec![denied(place, identity)];
    let overlay = tables::overlay();
    let mut allowed: BTreeMap<String, Section> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for (index, actions) in scoped(identity)? {
        let Some(scope) = overlay.scopes.get(index) else {
            continue;
        };
        let group = overlay
            .groups
            .iter()
            .find(|group| Some(&group.id) == scope.group.as_ref());
        let title = scope
            .purpose
            .clone()
            .or_else(|| group.map(|group| group.title.clone()))
            .unwrap_or_default();
        if !order.contains(&title) {
            order.push(title.clone());
        }
        allowed
            .entry(title.clone())
            .or_insert_with(|| Section {
                purpose: title,
                statements: Vec::new(),
            })
            .statements
            .push(Statement {
                sid: scope.sid.clone(),
                effect: Effect::Allow,
                actions: Actions::Only(actions.into_iter().map(str::to_owned).collect()),
                resources: place.fill_all(&scope.resources),
                condition: scope.condition.as_ref().map(|value| place.fill_json(value)),
            });
    }
    sections.extend(order.iter().filter_map(|title| allowed.remove(title)));
    Ok(sections)
}

fn denied(place: &Place, identity: Identity) -> Section {
    let table = tables::denies();
    let mut statements: Vec<Statement> = table
        .statements
        .iter()
        .filter(|deny| deny.identities.contains(&identity))
        .map(|deny| Statement {
            sid: deny.sid.clone(),
            effect: Effect::Deny,
            actions: if deny.not_actions.is_empty() {
                Actions::Only(deny.actions.iter().cloned().collect())
            } else {
                Actions::AllBut(deny.not_actions.iter().cloned().collect())
            },
            resources: if deny.resources.is_empty() {
                vec!["*".to_owned()]
            } else {
                place.fill_all(&deny.resources)
            },
            condition: deny.condition.as_ref().map(|value| place.fill_json(value)),
        })
        .collect();
    if identity == Identity::Provisioner && !place.regions().is_empty() {
        statements.push(Statement {
            sid: table.regions.sid.clone(),
            effect: Effect::Deny,
            actions: Actions::Only(table.regions.actions.iter().cloned().collect()),
            resources: vec!["*".to_owned()],
            condition: Some(json!({
                "StringNotEquals": { "aws:RequestedRegion": place.regions() }
            })),
        });
    }
    Section {
        purpose: match identity {
            Identity::Provisioner => {
                "What the provisioner may never do: lose data, switch protection off, \
                 change who may do what"
            }
            Identity::Reaper => {
                "What the reaper may never do: create, empty, read contents, \
                 change who may do what"
            }
        }
        .to_owned(),
        statements,
    }
}

/// The permissions boundary of workloads' roles.
pub(super) fn boundary(place: &Place) -> Vec<Statement> {
    tables::boundary()
        .statements
        .iter()
        .map(|statement| Statement {
            sid: statement.sid.clone(),
            effect: statement.effect,
            actions: Actions::Only(statement.actions.iter().cloned().collect()),
            resources: place.fill_all(&statement.resources),
            condition: statement
                .condition
                .as_ref()
                .map(|value| place.fill_json(value)),
        })
        .collect()
}
