//! One call of an API, as its handler sees it.

use super::access::{Caller, Question};
use super::error::Refusal;
use super::state::{Node, Operation, Project, ServiceAccount, State};
use crate::clock::Instant;
use crate::iam::Moment;
use crate::jwt::KeySet;
use crate::shared::WorldGuard;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) type Answer = Result<Value, Refusal>;

pub(super) struct Call<'c, 'w> {
    pub world: &'c mut WorldGuard<'w>,
    pub at: Moment,
    pub service: &'static str,
    pub caller: Caller,
    /// What the path named.
    pub params: BTreeMap<&'static str, String>,
    pub query: Vec<(String, String)>,
    pub body: Value,
    /// Keys of the issuer that a token exchange concerns, where they had to be
    /// fetched.
    pub fetched: Option<Result<KeySet, String>>,
}

impl Call<'_, '_> {
    pub fn state(&self) -> &State {
        &self.world.gcp
    }

    /// Marks the world as changed.
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.world.gcp
    }

    pub fn param(&self, name: &str) -> String {
        self.params.get(name).cloned().unwrap_or_default()
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A text field of the body, by JSON pointer; empty when absent.
    pub fn text(&self, pointer: &str) -> &str {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The fields that an update mask names; all of the body without one.
    pub fn mask(&self, body: &Value) -> BTreeSet<String> {
        match self
            .query("updateMask")
            .or_else(|| self.body["updateMask"].as_str())
        {
            Some(mask) => mask.split(',').map(camel).collect(),
            None => body
                .as_object()
                .into_iter()
                .flat_map(|fields| fields.keys().cloned())
                .collect(),
        }
    }

    fn question<'q>(&'q self, modified: &'q BTreeSet<String>) -> Question<'q> {
        Question {
            state: self.state(),
            now: self.at.now,
            wall: self.at.wall,
            caller: &self.caller,
            modified,
        }
    }

    pub fn may(&self, permission: &str, node: &str) -> bool {
        self.question(&BTreeSet::new()).node(permission, node)
    }

    pub fn may_modify(&self, permission: &str, node: &str, modified: &BTreeSet<String>) -> bool {
        self.question(modified).node(permission, node)
    }

    pub fn may_on_account(&self, permission: &str, account: &ServiceAccount, node: &str) -> bool {
        self.question(&BTreeSet::new())
            .account(permission, account, node)
    }

    /// A project by id or number, if the caller has a permission on it. One
    /// that does not exist is refused in the same words.
    pub fn project(&self, id: &str, permission: &str) -> Result<&Project, Refusal> {
        self.state()
            .find_project(id)
            .filter(|(node, _)| self.may(permission, &node.name))
            .map(|(_, project)| project)
            .ok_or_else(|| self.denied(permission, &format!("projects/{id}")))
    }

    /// The project that the path names.
    pub fn path_project(&self, permission: &str) -> Result<&Project, Refusal> {
        self.project(&self.param("project"), permission)
    }

    /// Something of the hierarchy, projects by id too.
    pub fn node(&self, name: &str, permission: &str) -> Result<&Node, Refusal> {
        self.find_node(name)
            .filter(|node| self.may(permission, &node.name))
            .ok_or_else(|| self.denied(permission, name))
    }

    pub fn find_node(&self, name: &str) -> Option<&Node> {
        match name.strip_prefix("projects/") {
            Some(id) => self.state().find_project(id).map(|(node, _)| node),
            None => self.state().nodes.get(name),
        }
    }

    pub fn denied(&self, permission: &str, resource: &str) -> Refusal {
        Refusal::denied(self.service, permission, resource)
    }

    pub fn project_mut(&mut self, number: &str) -> Result<&mut Project, Refusal> {
        self.state_mut()
            .project_mut(number)
            .ok_or_else(Refusal::internal)
    }

    pub fn node_mut(&mut self, name: &str) -> Result<&mut Node, Refusal> {
        self.state_mut()
            .nodes
            .get_mut(name)
            .ok_or_else(Refusal::internal)
    }

    /// The service account that the path names: by address or unique id, its
    /// project or `-`. With its project's number.
    pub fn account(&self, permission: &str) -> Result<(String, &ServiceAccount), Refusal> {
        let (project, id) = (self.param("project"), self.param("account"));
        let resource = format!("projects/{project}/serviceAccounts/{id}");
        let found = self
            .state()
            .account(&id)
            .filter(|(owner, _)| project == "-" || owner.id == project || owner.number == project);
        match found {
            Some((owner, account))
                if self.may_on_account(
                    permission,
                    account,
                    &format!("projects/{}", owner.number),
                ) =>
            {
                Ok((owner.number.clone(), account))
            }
            Some(_) => Err(self.denied(permission, &resource)),
            // Who may see the project's accounts is told that there is none.
            None => match self.state().find_project(&project) {
                Some((node, _)) if self.may(permission, &node.name) => Err(Refusal::not_found(
                    format!("Unknown service account: {resource}"),
                )),
                _ => Err(self.denied(permission, &resource)),
            },
        }
    }

    /// Starts a long-running operation whose effect is in place already.
    pub fn operation(
        &mut self,
        prefix: &str,
        takes: Duration,
        metadata: Value,
        response: Value,
    ) -> Value {
        let (service, done_at) = (self.service.to_owned(), self.at.now.plus(takes));
        let state = self.state_mut();
        let name = format!(
            "{prefix}{}",
            state.rng.text(17, b"0123456789abcdefghjkmnpqrstuvwxyz")
        );
        let operation = Operation {
            service,
            done_at,
            metadata,
            response,
        };
        let shown = render(&name, &operation, self.at.now);
        self.state_mut().operations.insert(name, operation);
        shown
    }

    /// Polls an operation of this service.
    pub fn poll(&self, name: &str) -> Answer {
        self.state()
            .operations
            .get(name)
            .filter(|operation| operation.service == self.service)
            .map(|operation| render(name, operation, self.at.now))
            .ok_or_else(|| Refusal::not_found(format!("The operation {name} was not found.")))
    }
}

fn render(name: &str, operation: &Operation, now: Instant) -> Value {
    let mut shown = json!({ "name": name, "metadata": operation.metadata });
    if operation.done_at <= now {
        shown["done"] = json!(true);
        shown["response"] = operation.response.clone();
    }
    shown
}

/// `attribute_condition` as `attributeCondition`; both are accepted in masks.
fn camel(name: &str) -> String {
    let mut result = String::new();
    let mut upper = false;
    for c in name.trim().chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            result.extend(c.to_uppercase());
            upper = false;
        } else {
            result.push(c);
        }
    }
    result
}

/// A page of a list: `pageSize` and `pageToken` of the query.
pub(super) fn page(call: &Call<'_, '_>, field: &str, items: Vec<Value>, most: usize) -> Answer {
    let size = match call.query("pageSize").map(str::parse::<i64>) {
        None | Some(Ok(0)) => most,
        Some(Ok(size)) if size > 0 => usize::try_from(size).unwrap_or(most).min(most),
        Some(_) => return Err(Refusal::invalid("The page size is not a positive number.")),
    };
    let start = match call.query("pageToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| Refusal::invalid("The page token is not one of ours."))?,
    };
    let mut shown = serde_json::Map::new();
    let total = items.len();
    let items: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let end = start.saturating_add(items.len());
    if !items.is_empty() {
        shown.insert(field.to_owned(), json!(items));
    }
    if end < total {
        shown.insert("nextPageToken".to_owned(), json!(end.to_string()));
    }
    Ok(Value::Object(shown))
}
