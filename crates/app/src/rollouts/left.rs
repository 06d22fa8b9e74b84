use crate::{App, failed};
use landfall_model::{
    environment::Environment,
    error::Result,
    graph::{self, Address, Lookup, Node, TAG_ADDRESS},
    id::RolloutId,
    journal::{Call, Event, EventKind},
    rollout::State,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A create whose outcome the journal does not know: the account may hold what
/// it made. The next rollout settles it; deleting the environment must not
/// lose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) rollout_id: RolloutId,
    pub(crate) address: Address,
    pub(crate) type_name: String,
    pub(crate) title: String,
    pub(crate) stateful: bool,
    /// As soon as the cloud had said it, and only if it made it up itself: a
    /// name may be somebody else's, who had it first.
    pub(crate) identifier: Option<String>,
    /// How a person finds it in the account.
    pub(crate) look_for: String,
}

/// As the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OpenCreate {
    address: Address,
    type_name: String,
    properties: Value,
    identifier: Option<String>,
}

/// Those of the environment's ended rollouts since the last one that succeeded:
/// before it nothing was left, or it would not have succeeded.
pub(crate) async fn left_open(app: &App, environment: &Environment) -> Result<Vec<Left>> {
    let organization = &environment.organization_id;
    let rollouts = app
        .store
        .rollouts(organization, Some(&environment.id), 100)
        .await
        .map_err(failed("listing rollouts"))?;
    let mut left = Vec::new();
    for rollout in rollouts {
        match rollout.state {
            State::Succeeded { .. } => break,
            State::Failed { .. } | State::Canceled { .. } => {}
            State::Queued { .. } | State::Running { .. } | State::Canceling { .. } => continue,
        }
        let open = open_creates(&super::all_events(app, &rollout.id).await?);
        if open.is_empty() {
            continue;
        }
        let plan = app
            .store
            .plan(organization, &rollout.plan_id)
            .await
            .map_err(failed("reading the plan"))?;
        let nodes = plan.map(|plan| plan.graph.nodes).unwrap_or_default();
        left.extend(open.into_iter().map(|one| {
            let node = nodes.get(&one.address);
            describe(&rollout.id, one, node)
        }));
    }
    Ok(left)
}

fn describe(rollout_id: &RolloutId, open: OpenCreate, node: Option<&Node>) -> Left {
    let named = |node: &Node| match &node.lookup {
        Lookup::Name { identifier, .. } => Some(identifier.as_str().map(str::to_owned)),
        Lookup::Tags { .. } | Lookup::Properties { .. } => None,
    };
    let (identifier, name) = match node.map(named) {
        Some(None) => (open.identifier, None),
        Some(Some(name)) => (None, open.identifier.or(name)),
        // Without its plan nobody knows how it is identified.
        None => (None, open.identifier),
    };
    let by_tag = graph::tags(&open.properties).contains_key(TAG_ADDRESS);
    let look_for = match (&identifier, name) {
        (Some(identifier), _) => identifier.clone(),
        (None, Some(name)) => name,
        (None, None) if by_tag => format!("{TAG_ADDRESS}={}", open.address),
        (None, None) => open.address.to_string(),
    };
    Left {
        rollout_id: rollout_id.clone(),
        title: match node {
            Some(node) => node.title.clone(),
            None => open.type_name.clone(),
        },
        // If nobody knows: the careful answer.
        stateful: node.is_none_or(|node| node.stateful),
        address: open.address,
        type_name: open.type_name,
        identifier,
        look_for,
    }
}

fn open_creates(events: &[Event]) -> Vec<OpenCreate> {
    let mut open: BTreeMap<&Address, OpenCreate> = BTreeMap::new();
    for event in events {
        let Some(address) = &event.address else {
            continue;
        };
        match &event.kind {
            EventKind::Intended {
                type_name,
                request: Call::Create { properties },
                ..
            } => {
                let create = OpenCreate {
                    address: address.clone(),
                    type_name: type_name.clone(),
                    properties: properties.clone(),
                    identifier: None,
                };
                open.insert(address, create);
            }
            EventKind::Identified { identifier, .. } => {
                if let Some(create) = open.get_mut(address) {
                    create.identifier = Some(identifier.clone());
                }
            }
            EventKind::Intended { .. }
            | EventKind::Succeeded { .. }
            | EventKind::AttemptFailed { .. }
            | EventKind::Adopted { .. }
            | EventKind::Retained { .. } => {
                open.remove(address);
            }
            // A node can fail while its attempt stays open: the account
            // stopped answering.
            _ => {}
        }
    }
    open.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use landfall_model::{
        Entropy, Timestamp,
        driver::{AttemptToken, Failure, FailureKind},
        journal::Stream,
    };

    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn left(kinds: Vec<EventKind>) -> Vec<OpenCreate> {
        let id = RolloutId::at(Timestamp::from_millis(1), &Zero);
        let events: Vec<Event> = kinds
            .into_iter()
            .zip(1..)
            .map(|(kind, seq)| Event {
                stream: Stream::Rollout(id.clone()),
                seq,
                at: Timestamp::from_millis(1),
                address: Some(Address::new("db.instance")),
                kind,
            })
            .collect();
        open_creates(&events)
    }

    fn create() -> EventKind {
        EventKind::Intended {
            attempt: 1,
            token: AttemptToken("t".to_owned()),
            type_name: "AWS::RDS::DBInstance".to_owned(),
            request: Call::Create {
                properties: serde_json::json!({}),
            },
        }
    }

    fn failure() -> Failure {
        Failure::new(FailureKind::Unavailable, "Gone", "no answer")
    }

    #[test]
    fn a_create_stays_open_until_its_outcome_is_journaled() {
        let identified = EventKind::Identified {
            attempt: 1,
            identifier: "db-1".to_owned(),
        };
        let node_failed = EventKind::Failed { failure: failure() };
        let open = left(vec![create(), identified, node_failed.clone()]);
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].identifier.as_deref(), Some("db-1"));

        let closed = EventKind::AttemptFailed {
            attempt: 1,
            failure: failure(),
        };
        assert_eq!(left(vec![create(), closed, node_failed]), vec![]);
        let succeeded = EventKind::Succeeded {
            attempt: 1,
            identifier: "db-1".to_owned(),
        };
        assert_eq!(left(vec![create(), succeeded]), vec![]);
    }
}
