use crate::{App, failed};
use landfall_model::{
    environment::Environment,
    error::Result,
    graph::Address,
    id::RolloutId,
    journal::{Call, Event, EventKind},
    rollout::State,
};
use std::collections::BTreeMap;

/// A create whose outcome the journal does not know: the account may hold what
/// it made. The next rollout settles it; deleting the environment must not
/// lose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) rollout_id: RolloutId,
    pub(crate) address: Address,
    pub(crate) type_name: String,
    /// As soon as the cloud had said it.
    pub(crate) identifier: Option<String>,
}

/// Those of the environment's rollouts since the last one that succeeded:
/// before it nothing was left, or it would not have succeeded.
pub(crate) async fn left_open(app: &App, environment: &Environment) -> Result<Vec<Left>> {
    let rollouts = app
        .store
        .rollouts(&environment.organization_id, Some(&environment.id), 100)
        .await
        .map_err(failed("listing rollouts"))?;
    let mut left = Vec::new();
    for rollout in rollouts {
        if let State::Succeeded { .. } = rollout.state {
            break;
        }
        let events = super::all_events(app, &rollout.id).await?;
        left.extend(open_creates(&rollout.id, &events));
    }
    Ok(left)
}

fn open_creates(rollout_id: &RolloutId, events: &[Event]) -> Vec<Left> {
    let mut open: BTreeMap<&Address, Left> = BTreeMap::new();
    for event in events {
        let Some(address) = &event.address else {
            continue;
        };
        match &event.kind {
            EventKind::Intended {
                type_name,
                request: Call::Create { .. },
                ..
            } => {
                let left = Left {
                    rollout_id: rollout_id.clone(),
                    address: address.clone(),
                    type_name: type_name.clone(),
                    identifier: None,
                };
                open.insert(address, left);
            }
            EventKind::Identified { identifier, .. } => {
                if let Some(left) = open.get_mut(address) {
                    left.identifier = Some(identifier.clone());
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

    fn left(kinds: Vec<EventKind>) -> Vec<Left> {
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
        open_creates(&id, &events)
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
