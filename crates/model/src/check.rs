//! Verification of a connection: one step at a time, each with evidence.

mod recorder;

pub use recorder::{Found, Question, Recorder};

use crate::{
    Timestamp,
    id::{CheckRunId, ConnectionId, OrganizationId},
};
use serde::{Deserialize, Serialize};

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schema(as = CheckOutcome)]
pub enum Outcome {
    Pass,
    /// Not asked: it is optional, or a check that it stands on did not pass,
    /// which then says so itself.
    Skipped,
    /// Works, but something should be changed; the remedy says what.
    Warn,
    /// Denied, but within the time that the cloud's identity needs to settle.
    Propagating,
    /// The cloud gave no answer; says nothing about the grant, so it changes
    /// nothing about the connection, and the checks run again soon.
    Unanswered,
    Fail,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Propagating => "propagating",
            Self::Skipped => "skipped",
            Self::Unanswered => "unanswered",
            Self::Fail => "fail",
        }
    }
}

/// One verification step and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Check {
    /// Stable, `<cloud>.<what-is-true-when-it-passes>`:
    /// `aws.external-id-enforced.provisioner`.
    pub id: String,
    /// One line for people: "The provisioner refuses a wrong external id".
    pub title: String,
    pub outcome: Outcome,
    /// What was asked: "sts:AssumeRole on arn:… without an external id".
    pub asked: String,
    /// What came back, without secrets.
    pub evidence: String,
    /// What to do; empty when it passed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    pub millis: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = CheckTrigger)]
pub enum Trigger {
    Detection,
    Request,
    Schedule,
    Change,
    Failure,
}

/// All checks of a connection made together; kept as history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CheckRun {
    pub id: CheckRunId,
    pub organization_id: OrganizationId,
    pub connection_id: ConnectionId,
    pub trigger: Trigger,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub checks: Vec<Check>,
}

impl CheckRun {
    /// The worst outcome; `Pass` when there are no checks.
    pub fn outcome(&self) -> Outcome {
        self.checks
            .iter()
            .map(|check| check.outcome)
            .max()
            .unwrap_or(Outcome::Pass)
    }
}
