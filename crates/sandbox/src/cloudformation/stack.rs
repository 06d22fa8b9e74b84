//! Stacks and how far they are.

use crate::clock::SimTime;
use crate::iam::Caller;
use crate::types::Model;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that CloudFormation keeps for one account and region.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// By stack id. Deleted stacks stay, as they do at AWS for ninety days.
    pub(super) stacks: BTreeMap<String, Stack>,
    /// By change set id.
    pub(super) change_sets: BTreeMap<String, super::change_sets::ChangeSet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    ReviewInProgress,
    CreateInProgress,
    CreateComplete,
    CreateFailed,
    RollbackInProgress,
    RollbackComplete,
    RollbackFailed,
    UpdateInProgress,
    UpdateComplete,
    UpdateRollbackInProgress,
    UpdateRollbackComplete,
    UpdateRollbackFailed,
    DeleteInProgress,
    DeleteComplete,
    DeleteFailed,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ReviewInProgress => "REVIEW_IN_PROGRESS",
            Self::CreateInProgress => "CREATE_IN_PROGRESS",
            Self::CreateComplete => "CREATE_COMPLETE",
            Self::CreateFailed => "CREATE_FAILED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackComplete => "ROLLBACK_COMPLETE",
            Self::RollbackFailed => "ROLLBACK_FAILED",
            Self::UpdateInProgress => "UPDATE_IN_PROGRESS",
            Self::UpdateComplete => "UPDATE_COMPLETE",
            Self::UpdateRollbackInProgress => "UPDATE_ROLLBACK_IN_PROGRESS",
            Self::UpdateRollbackComplete => "UPDATE_ROLLBACK_COMPLETE",
            Self::UpdateRollbackFailed => "UPDATE_ROLLBACK_FAILED",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
            Self::DeleteComplete => "DELETE_COMPLETE",
            Self::DeleteFailed => "DELETE_FAILED",
        }
    }

    /// Whether something is still going on.
    pub(crate) fn is_in_progress(self) -> bool {
        self.as_str().ends_with("_IN_PROGRESS") && self != Self::ReviewInProgress
    }

    pub(crate) fn is_good(self) -> bool {
        matches!(
            self,
            Self::CreateComplete | Self::UpdateComplete | Self::DeleteComplete
        )
    }
}

/// What to do when a creation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OnFailure {
    Rollback,
    Delete,
    DoNothing,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stack {
    pub id: String,
    pub name: String,
    pub status: Status,
    pub reason: Option<String>,
    pub body: String,
    /// Values of all parameters.
    pub parameters: BTreeMap<String, String>,
    pub capabilities: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub outputs: Vec<OutputValue>,
    pub created_at: SimTime,
    pub updated_at: Option<SimTime>,
    pub deleted_at: Option<SimTime>,
    /// As whom resources are made, changed and deleted.
    pub(super) caller: Caller,
    pub(super) role_arn: Option<String>,
    pub(super) on_failure: OnFailure,
    pub(super) protected: bool,
    pub(super) client_token: Option<String>,
    /// By logical id.
    pub resources: BTreeMap<String, StackResource>,
    /// Oldest first.
    pub events: Vec<Event>,
    pub(super) work: Option<Work>,
    /// What an update returns to when it fails.
    pub(super) previous: Option<Previous>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OutputValue {
    pub key: String,
    pub value: String,
    pub description: Option<String>,
    pub export: Option<String>,
}

/// One resource of a stack. Most have one part; an inline policy has one for
/// each of its roles.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StackResource {
    pub type_name: String,
    pub status: String,
    pub reason: Option<String>,
    pub updated_at: SimTime,
    pub parts: Vec<Part>,
    pub(super) needs: BTreeSet<String>,
    /// As the last template that made or changed the resource says: one that
    /// leaves the resource out has no say in it any more.
    #[serde(default)]
    pub(super) deletion: DeletionPolicy,
    /// Whether a replaced resource stays (`UpdateReplacePolicy`).
    #[serde(default)]
    pub(super) keeps_replaced: bool,
}

/// AWS docs: "DeletionPolicy attribute". A snapshot is not simulated: the
/// resource is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum DeletionPolicy {
    #[default]
    Delete,
    Retain,
    /// Deleted when the operation that created it is rolled back.
    RetainExceptOnCreate,
}

impl DeletionPolicy {
    /// Whether a resource stays when work towards `goal` would delete it.
    pub(super) fn keeps(self, goal: Goal) -> bool {
        match self {
            Self::Delete => false,
            Self::Retain => true,
            // Rollbacks delete only what the failed operation has created.
            Self::RetainExceptOnCreate => !matches!(goal, Goal::Rollback | Goal::UpdateRollback),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub type_name: String,
    pub identifier: String,
    /// As the template wanted it, without secrets.
    pub(super) desired: Model,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub id: String,
    pub at: SimTime,
    pub logical_id: String,
    pub physical_id: String,
    pub type_name: String,
    pub status: String,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Previous {
    pub body: String,
    pub parameters: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub resources: BTreeMap<String, StackResource>,
}

/// What a stack is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Goal {
    Create,
    /// Deletes what a failed creation made.
    Rollback,
    Update,
    /// Returns what a failed update changed.
    UpdateRollback,
    Delete,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Work {
    pub goal: Goal,
    pub started_at: SimTime,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Step {
    pub logical_id: String,
    pub action: Action,
    /// Steps that must be over before.
    pub needs: Vec<usize>,
    pub state: StepState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Action {
    Create,
    Update,
    /// Back to what it was before an update.
    Restore,
    Delete,
}

#[allow(
    clippy::large_enum_variant,
    reason = "a stack has a dozen steps; and how large it is depends on serde_json's features, \
              so that an expectation would hold in some builds only"
)]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum StepState {
    Waiting,
    Running {
        token: String,
        current: Move,
        rest: Vec<Move>,
    },
    Done {
        at: SimTime,
    },
    Failed {
        at: SimTime,
    },
    /// Never begun, because another step failed.
    Skipped,
}

/// One Cloud Control operation of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Move {
    Create {
        type_name: String,
        desired: Model,
    },
    Update {
        type_name: String,
        identifier: String,
        before: Model,
        desired: Model,
    },
    Delete {
        type_name: String,
        identifier: String,
    },
    /// Leaves a replaced part to itself, or takes it back. No operation: it
    /// is done as soon as it is begun.
    Release(Part),
    Adopt(Part),
}

impl Stack {
    pub(super) fn tell(
        &mut self,
        at: SimTime,
        logical_id: &str,
        status: &str,
        reason: Option<String>,
    ) {
        let resource = self.resources.get_mut(logical_id);
        let (physical_id, type_name) = match resource {
            Some(resource) => {
                status.clone_into(&mut resource.status);
                resource.reason.clone_from(&reason);
                resource.updated_at = at;
                (resource.physical_id(), resource.type_name.clone())
            }
            None => (self.id.clone(), "AWS::CloudFormation::Stack".to_owned()),
        };
        self.events.push(Event {
            id: format!("{logical_id}-{status}-{}", self.events.len()),
            at,
            logical_id: logical_id.to_owned(),
            physical_id,
            type_name,
            status: status.to_owned(),
            reason,
        });
    }

    /// Changes the stack's own status and says so in its events.
    pub(super) fn turn(&mut self, at: SimTime, status: Status, reason: Option<String>) {
        self.status = status;
        self.reason.clone_from(&reason);
        let name = self.name.clone();
        self.tell(at, &name, status.as_str(), reason);
    }
}

impl StackResource {
    /// What `Ref` gives and events show; empty before there is anything.
    pub(crate) fn physical_id(&self) -> String {
        self.parts.first().map_or_else(String::new, |part| {
            super::moves::reference(&part.type_name, &part.identifier)
        })
    }
}
