//! What one region of one account holds.

use super::failure::Failure;
use crate::clock::SimTime;
use crate::types::Model;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Everything that Cloud Control keeps for one account and region. The region
/// named `global` holds what has no region (IAM, Route 53, CloudFront).
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Region {
    /// By type name, then by identifier.
    pub(super) resources: BTreeMap<String, BTreeMap<String, Resource>>,
    /// By request token.
    pub(super) operations: BTreeMap<String, Operation>,
    pub(super) client_tokens: BTreeMap<String, ClientToken>,
    /// What is being changed, by `type|identifier`.
    pub(super) in_flight: BTreeMap<String, InFlight>,
    /// Last revision of each task definition family: numbers are never reused.
    pub(super) revisions: BTreeMap<String, u32>,
    /// Secret names that a scheduled deletion still holds, until when.
    pub(super) held_names: BTreeMap<String, SimTime>,
    /// Who made entities whose state another service keeps (IAM).
    pub(super) origins: BTreeMap<String, Origin>,
}

/// A resource that exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resource {
    pub identifier: String,
    /// What a read shows.
    pub properties: Model,
    /// Write-only properties that are no secrets. Secrets are kept nowhere.
    pub hidden: Model,
    /// False until its creation has gone all the way.
    pub ready: bool,
    pub origin: Option<Origin>,
    /// Keys of objects in a bucket, tags of images in a repository.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contents: BTreeSet<String>,
}

/// Where a resource comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub at: SimTime,
    pub by: CreatedBy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub(crate) enum CreatedBy {
    /// A Cloud Control request, by its token.
    Request(String),
    /// A CloudFormation stack, by its id.
    Stack(String),
    /// Somebody at the console, or a test.
    OutOfBand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum OperationKind {
    Create,
    Update,
    Delete,
}

impl OperationKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// When a progress event first carries the identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reveal {
    /// In the first answer: the caller chose the name.
    AtOnce,
    /// Once the handler has made its first call and waits for it.
    WhenStarted,
    /// With SUCCESS only.
    AtEnd,
}

/// How an operation will end; decided when its handler makes its first call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Course {
    Succeed,
    Fail(Failure),
    /// FAILED, yet done.
    FailButDone(Failure),
}

/// Where an operation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    Running,
    /// `begun` tells whether the handler had made its first call: what it did
    /// is not undone.
    Cancelling {
        since: SimTime,
        begun: bool,
    },
    Succeeded {
        at: SimTime,
    },
    Failed {
        at: SimTime,
        failure: Failure,
    },
    Cancelled {
        at: SimTime,
    },
}

/// The operation that changes a resource now. A global resource is changed by
/// an operation of the region where it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InFlight {
    pub kind: OperationKind,
    pub region: String,
    pub token: String,
}

/// One asynchronous request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Operation {
    pub token: String,
    pub kind: OperationKind,
    pub type_name: String,
    pub identifier: String,
    pub reveal: Reveal,
    pub accepted_at: SimTime,
    pub starts_at: SimTime,
    /// None: it never ends.
    pub ends_at: Option<SimTime>,
    pub course: Course,
    pub stage: Stage,
    /// Whether ListResourceRequests shows it. A stack's operations are its own.
    pub listed: bool,
}

/// What an idempotency token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClientToken {
    pub request_token: String,
    /// Digest of operation, type and body.
    pub digest: String,
    pub used_at: SimTime,
}

/// A client token is forgotten after this (AWS docs: ClientToken).
pub(super) const CLIENT_TOKEN_LIFE: Duration = Duration::from_secs(36 * 3_600);
/// Requests are forgotten after this (AWS docs: managing requests).
pub(super) const REQUEST_LIFE: Duration = Duration::from_secs(7 * 86_400);
/// From acceptance to the handler's first call.
pub(super) const PENDING: Duration = Duration::from_millis(500);
/// From a cancel request to its completion.
pub(super) const CANCELLING: Duration = Duration::from_secs(2);

impl Operation {
    pub(super) fn is_over(&self) -> bool {
        !matches!(self.stage, Stage::Running | Stage::Cancelling { .. })
    }

    /// When it changes by itself next.
    pub(super) fn due(&self) -> Option<SimTime> {
        match self.stage {
            Stage::Running => self.ends_at,
            Stage::Cancelling { since, .. } => Some(since.plus(CANCELLING)),
            _ => None,
        }
    }

    pub(super) fn status(&self, now: SimTime) -> &'static str {
        match &self.stage {
            Stage::Running if now < self.starts_at => "PENDING",
            Stage::Running => "IN_PROGRESS",
            Stage::Cancelling { .. } => "CANCEL_IN_PROGRESS",
            Stage::Succeeded { .. } => "SUCCESS",
            Stage::Failed { .. } => "FAILED",
            Stage::Cancelled { .. } => "CANCEL_COMPLETE",
        }
    }

    /// When the status last changed, as far as `now` knows.
    fn event_time(&self, now: SimTime) -> SimTime {
        match &self.stage {
            Stage::Running if now < self.starts_at => self.accepted_at,
            Stage::Running => self.starts_at,
            Stage::Cancelling { since, .. } => *since,
            Stage::Succeeded { at } | Stage::Failed { at, .. } | Stage::Cancelled { at } => *at,
        }
    }

    /// The ProgressEvent.
    pub(super) fn event(&self, now: SimTime) -> Value {
        let mut event = json!({
            "TypeName": self.type_name,
            "RequestToken": self.token,
            "Operation": self.kind.as_str(),
            "OperationStatus": self.status(now),
            "EventTime": self.event_time(now).epoch_seconds_f64(),
        });
        if let Some(identifier) = self.revealed(now) {
            event["Identifier"] = identifier.into();
        }
        if let Stage::Failed { failure, .. } = &self.stage {
            event["StatusMessage"] = failure.message.clone().into();
            event["ErrorCode"] = failure.code.as_str().into();
        }
        event
    }

    /// The identifier as far as a progress event tells it.
    pub(super) fn revealed(&self, now: SimTime) -> Option<&str> {
        let told = match (self.kind, self.reveal, &self.stage) {
            // An update or deletion was asked for by identifier.
            (OperationKind::Update | OperationKind::Delete, _, _)
            | (_, Reveal::AtOnce, _)
            | (_, _, Stage::Succeeded { .. }) => true,
            (_, _, Stage::Failed { .. }) => matches!(self.course, Course::FailButDone(_)),
            (_, Reveal::WhenStarted, _) => now >= self.starts_at,
            (_, Reveal::AtEnd, _) => false,
        };
        told.then_some(self.identifier.as_str())
    }
}

/// Key of `in_flight` and `origins`.
pub(super) fn key(type_name: &str, identifier: &str) -> String {
    format!("{type_name}|{identifier}")
}

impl Region {
    pub(super) fn resource(&self, type_name: &str, identifier: &str) -> Option<&Resource> {
        self.resources.get(type_name)?.get(identifier)
    }

    pub(super) fn resource_mut(
        &mut self,
        type_name: &str,
        identifier: &str,
    ) -> Option<&mut Resource> {
        self.resources.get_mut(type_name)?.get_mut(identifier)
    }

    pub(super) fn insert(&mut self, type_name: &str, resource: Resource) {
        self.resources
            .entry(type_name.to_owned())
            .or_default()
            .insert(resource.identifier.clone(), resource);
    }

    pub(super) fn take(&mut self, type_name: &str, identifier: &str) -> Option<Resource> {
        self.resources.get_mut(type_name)?.remove(identifier)
    }

    pub(super) fn in_flight(&self, type_name: &str, identifier: &str) -> Option<&InFlight> {
        self.in_flight.get(&key(type_name, identifier))
    }

    /// The last revision of a task definition family.
    pub(super) fn revision(&self, family: &str) -> Option<u32> {
        self.revisions.get(family).copied()
    }

    /// Whether a deleted secret still holds a name.
    pub(super) fn holds_name(&self, name: &str, at: SimTime) -> bool {
        self.held_names.get(name).is_some_and(|until| *until > at)
    }

    /// Drops what AWS forgets too.
    pub(super) fn forget(&mut self, now: SimTime) {
        self.client_tokens
            .retain(|_, token| now.since(token.used_at) < CLIENT_TOKEN_LIFE);
        self.operations
            .retain(|_, op| !op.is_over() || now.since(op.accepted_at) < REQUEST_LIFE);
        self.held_names.retain(|_, until| *until > now);
    }
}
