//! What a journal says, derived: for people ([`Fold`]) and for going on
//! ([`NodeLog`]).

use landfall_model::{
    Timestamp,
    driver::{AttemptToken, Failure, FailureKind, OperationId},
    graph::Address,
    journal::{Call, Event, EventKind},
    plan::Plan,
    rollout::NodeState,
};
use std::collections::BTreeMap;

/// Where each address of `plan` is. Pure.
pub fn fold(plan: &Plan, events: &[Event]) -> BTreeMap<Address, NodeState> {
    let mut fold = Fold::new(plan);
    for event in events {
        fold.apply(event);
    }
    fold.nodes
}

/// [`fold`], one event at a time: for following a rollout live.
#[derive(Clone, Debug)]
pub struct Fold {
    nodes: BTreeMap<Address, NodeState>,
    last: u64,
}

impl Fold {
    pub fn new(plan: &Plan) -> Self {
        let waiting =
            |action: &landfall_model::plan::Action| (action.address.clone(), NodeState::Waiting);
        Self {
            nodes: plan.actions.iter().map(waiting).collect(),
            last: 0,
        }
    }

    pub fn nodes(&self) -> &BTreeMap<Address, NodeState> {
        &self.nodes
    }

    /// The sequence number of the newest event in it.
    pub fn last_event(&self) -> u64 {
        self.last
    }

    pub fn apply(&mut self, event: &Event) {
        self.last = self.last.max(event.seq);
        let Some(address) = &event.address else {
            if event.kind == EventKind::Resumed {
                for state in self.nodes.values_mut() {
                    if matches!(state, NodeState::Failed { .. } | NodeState::Blocked { .. }) {
                        *state = NodeState::Waiting;
                    }
                }
            }
            return;
        };
        let before = self.nodes.get(address);
        if let Some(state) = next(before, event.at, &event.kind) {
            self.nodes.insert(address.clone(), state);
        }
    }
}

fn next(before: Option<&NodeState>, at: Timestamp, kind: &EventKind) -> Option<NodeState> {
    Some(match kind {
        EventKind::Intended { attempt, .. } => NodeState::Running {
            since: match before {
                Some(NodeState::Running { since, .. }) => *since,
                _ => at,
            },
            attempt: *attempt,
            identifier: None,
        },
        EventKind::Identified {
            attempt,
            identifier,
        } => NodeState::Running {
            since: match before {
                Some(NodeState::Running { since, .. }) => *since,
                _ => at,
            },
            attempt: *attempt,
            identifier: Some(identifier.clone()),
        },
        EventKind::Succeeded { identifier, .. }
        | EventKind::Adopted { identifier, .. }
        | EventKind::Unchanged { identifier }
        | EventKind::Destroyed { identifier } => NodeState::Done {
            at,
            identifier: identifier.clone(),
        },
        EventKind::Retained { identifier } => NodeState::Retained {
            at,
            identifier: identifier.clone(),
        },
        EventKind::Failed { failure } => NodeState::Failed {
            at,
            failure: failure.clone(),
        },
        EventKind::Blocked { by } => NodeState::Blocked { by: by.clone() },
        EventKind::Started
        | EventKind::Accepted { .. }
        | EventKind::AttemptFailed { .. }
        | EventKind::CancelRequested
        | EventKind::Resumed
        | EventKind::Finished { .. } => return None,
    })
}

/// One journaled attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub number: u32,
    pub token: AttemptToken,
    pub at: Timestamp,
    pub type_name: String,
    pub request: Call,
    pub operation: Option<OperationId>,
    pub identifier: Option<String>,
    /// Its end, where it certainly has one.
    pub over: Option<Result<(), Failure>>,
}

/// How a node's turn in this run ended.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    Done,
    Failed(Failure),
    Blocked,
}

/// What an address's events say about going on.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeLog {
    /// The newest attempt's number, over all resumes.
    pub count: u32,
    /// Attempts since the last resume, and when the first of them was.
    pub tries: u32,
    pub trying_since: Option<Timestamp>,
    pub last: Option<Attempt>,
    /// Exists although its creation did not succeed, or was found.
    pub left: Option<String>,
    pub ended: Option<Ended>,
}

impl NodeLog {
    /// The attempt whose outcome is not journaled.
    pub fn open(&self) -> Option<&Attempt> {
        self.last.as_ref().filter(|attempt| attempt.over.is_none())
    }

    /// How the last attempt failed, if it did.
    pub fn last_failure(&self) -> Option<&Failure> {
        self.last.as_ref()?.over.as_ref()?.as_ref().err()
    }

    pub fn resumed(&mut self) {
        self.tries = 0;
        self.trying_since = None;
        if matches!(self.ended, Some(Ended::Failed(_) | Ended::Blocked)) {
            self.ended = None;
        }
    }

    pub fn apply(&mut self, at: Timestamp, kind: &EventKind) {
        match kind {
            EventKind::Intended {
                attempt,
                token,
                type_name,
                request,
            } => {
                self.count = self.count.max(*attempt);
                self.tries = self.tries.saturating_add(1);
                self.trying_since.get_or_insert(at);
                if let Call::Update { identifier, .. } = request {
                    self.left = Some(identifier.clone());
                }
                self.last = Some(Attempt {
                    number: *attempt,
                    token: token.clone(),
                    at,
                    type_name: type_name.clone(),
                    request: request.clone(),
                    operation: None,
                    identifier: None,
                    over: None,
                });
            }
            EventKind::Accepted { attempt, operation } => {
                if let Some(last) = self.numbered(*attempt) {
                    last.operation = Some(operation.clone());
                }
            }
            EventKind::Identified {
                attempt,
                identifier,
            } => {
                if let Some(last) = self.numbered(*attempt) {
                    last.identifier = Some(identifier.clone());
                }
            }
            EventKind::AttemptFailed { attempt, failure } => {
                let left = self.numbered(*attempt).and_then(|last| {
                    last.over = Some(Err(failure.clone()));
                    last.identifier.clone()
                });
                // What exists already is named too, and may be anybody's.
                if failure.kind != FailureKind::AlreadyExists {
                    self.left = left.or(self.left.take());
                }
            }
            EventKind::Succeeded { .. }
            | EventKind::Adopted { .. }
            | EventKind::Unchanged { .. }
            | EventKind::Retained { .. }
            | EventKind::Destroyed { .. } => {
                if let Some(last) = &mut self.last {
                    last.over.get_or_insert(Ok(()));
                }
                self.ended = Some(Ended::Done);
            }
            EventKind::Failed { failure } => self.ended = Some(Ended::Failed(failure.clone())),
            EventKind::Blocked { .. } => self.ended = Some(Ended::Blocked),
            EventKind::Started
            | EventKind::CancelRequested
            | EventKind::Resumed
            | EventKind::Finished { .. } => {}
        }
    }

    fn numbered(&mut self, attempt: u32) -> Option<&mut Attempt> {
        self.last.as_mut().filter(|last| last.number == attempt)
    }
}

/// Every address's log, and whether the stream has started and finished.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub nodes: BTreeMap<Address, NodeLog>,
    pub started: bool,
    /// Finished, and not resumed since.
    pub finished: bool,
}

impl Logs {
    pub fn of(events: &[Event]) -> Self {
        let mut logs = Self::default();
        for event in events {
            logs.apply(event.address.as_ref(), event.at, &event.kind);
        }
        logs
    }

    pub fn apply(&mut self, address: Option<&Address>, at: Timestamp, kind: &EventKind) {
        if let Some(address) = address {
            let log = self.nodes.entry(address.clone()).or_default();
            log.apply(at, kind);
            return;
        }
        match kind {
            EventKind::Started => self.started = true,
            EventKind::Finished { .. } => self.finished = true,
            EventKind::Resumed => {
                self.finished = false;
                self.nodes.values_mut().for_each(NodeLog::resumed);
            }
            _ => {}
        }
    }
}
